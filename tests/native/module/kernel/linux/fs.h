/* SPDX-License-Identifier: Apache-2.0 */
/* Open files. A test's programs have a table of them for themselves: numbers are found by get_file(). */
#ifndef NATIVE_LINUX_FS_H
#define NATIVE_LINUX_FS_H

#include <fcntl.h>
#include <linux/err.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <sys/types.h>

struct inode;
struct vm_area_struct;
struct file_operations;

struct file {
	const struct file_operations *operations;
	void *private_data;
	unsigned int f_flags;
};

struct file_operations {
	void *owner;
	int (*open)(struct inode *inode, struct file *file);
	int (*release)(struct inode *inode, struct file *file);
	ssize_t (*read)(struct file *file, char *buffer, size_t size, loff_t *at);
	ssize_t (*write)(struct file *file, const char *buffer, size_t size, loff_t *at);
	long (*unlocked_ioctl)(struct file *file, unsigned int command, unsigned long argument);
	long (*compat_ioctl)(struct file *file, unsigned int command, unsigned long argument);
	__poll_t (*poll)(struct file *file, poll_table *table);
	int (*mmap)(struct file *file, struct vm_area_struct *vma);
	loff_t (*llseek)(struct file *file, loff_t offset, int whence);
};

#define THIS_MODULE NULL
#define compat_ptr_ioctl NULL
#define no_llseek NULL

static inline int nonseekable_open(struct inode *inode, struct file *file)
{
	(void)inode;
	(void)file;
	return 0;
}

struct file *anon_inode_getfile(const char *name, const struct file_operations *operations, void *private_data,
				int flags);
int get_unused_fd_flags(unsigned int flags);
void put_unused_fd(unsigned int fd);
void fd_install(unsigned int fd, struct file *file);
void fput(struct file *file);

/* ---- for tests ---- */

/* Opens a device; `private_data` is what its open() finds in the file. An error: IS_ERR. */
struct file *file_open(const struct file_operations *operations, void *private_data, unsigned int flags);

/* The file that was installed with that number, which is free again. */
struct file *file_of_fd(int fd);

#endif
