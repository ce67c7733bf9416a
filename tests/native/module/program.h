/* SPDX-License-Identifier: Apache-2.0 */
/* What programs do with /dev/ikc and with channels. Errors are negative, as the kernel gives them. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "ikc_uapi.h"
#include "machine.h"

#define PROGRAM_MAGIC 0x70726f67

/* /dev/ikc of that kernel; `flags` 0 or O_NONBLOCK. IS_ERR: an error. */
struct file *program_open(struct end *end, unsigned int flags);

/* The same of kernel `end`, with a port or as a listener; an error ends the test. */
struct file *program_at(u32 end, unsigned int flags);
struct file *program_bound_at(u32 end, u16 port, unsigned int flags);
struct file *program_listening_at(u32 end, u16 port, u32 packet_size);

void program_close(struct file *file);

int program_ioctl(struct file *file, unsigned int command, void *argument);
int program_bind(struct file *file, u16 port);
int program_connect(struct file *file, u32 partition, u16 port);
int program_send(struct file *file, u32 partition, u16 port, const void *payload, u32 length);

/* The length, or an error; *partition is who sent it, or whose link was reset. */
int program_receive(struct file *file, void *buffer, u32 size, u32 *partition);
int program_ping(struct file *file, u32 partition, u32 timeout_ms);

/* ---- channels: each a file of its own, to be closed ---- */

int program_listen(struct file *file, u16 port, u32 packet_size);
struct file *program_accept(struct file *file);
struct file *program_open_channel(struct file *file, u32 partition, u16 port, u32 packet_size, u32 timeout_ms);

int program_write(struct file *channel, const void *payload, size_t length);
int program_read(struct file *channel, void *buffer, size_t size);
int program_serve(struct file *channel, u32 cpu);

/* `count` messages of `length`, one behind the other: how many were sent, or an error. */
int program_write_several(struct file *channel, const void *messages, u32 length, u32 count);

unsigned int program_poll(struct file *file);

#endif
