/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/fs.h>
#include <linux/slab.h>

#include "check.h"

#define FILES_MAX 256

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool used[FILES_MAX];
static struct file *files[FILES_MAX];

struct file *anon_inode_getfile(const char *name, const struct file_operations *operations, void *private_data,
				int flags)
{
	struct file *file = kzalloc(sizeof(*file), GFP_KERNEL);

	(void)name;
	if (!file)
		return ERR_PTR(-ENFILE);
	file->operations = operations;
	file->private_data = private_data;
	file->f_flags = (unsigned int)flags;
	return file;
}

struct file *file_open(const struct file_operations *operations, void *private_data, unsigned int flags)
{
	struct file *file = anon_inode_getfile("", operations, private_data, (int)flags);
	int err;

	if (IS_ERR(file))
		return file;
	err = operations->open(NULL, file);
	if (err) {
		kfree(file);
		return ERR_PTR(err);
	}
	return file;
}

void fput(struct file *file)
{
	file->operations->release(NULL, file);
	kfree(file);
}

int get_unused_fd_flags(unsigned int flags)
{
	int fd = -EMFILE;

	(void)flags;
	if (slab_fails())
		return -EMFILE;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < FILES_MAX && fd < 0; i++)
		if (!used[i])
			fd = i;
	if (fd >= 0)
		used[fd] = true;
	pthread_mutex_unlock(&lock);
	return fd;
}

void put_unused_fd(unsigned int fd)
{
	pthread_mutex_lock(&lock);
	CHECK(used[fd] && !files[fd]);
	used[fd] = false;
	pthread_mutex_unlock(&lock);
}

void fd_install(unsigned int fd, struct file *file)
{
	pthread_mutex_lock(&lock);
	CHECK(used[fd] && !files[fd]);
	files[fd] = file;
	pthread_mutex_unlock(&lock);
}

struct file *file_of_fd(int fd)
{
	struct file *file;

	pthread_mutex_lock(&lock);
	file = files[fd];
	CHECK(file);
	files[fd] = NULL;
	used[fd] = false;
	pthread_mutex_unlock(&lock);
	return file;
}
