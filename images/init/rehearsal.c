// SPDX-License-Identifier: Apache-2.0
/*
 * A rehearsal of the first SSH connection. Code that has never run costs several times as much under TCG,
 * which has to translate it, and the first who connects would wait for that. So init is the first: up to
 * the server's signature, with a fixed public key and nothing computed on this side, and then it leaves.
 * Before that it starts the shell that each command needs, while the server is not there yet.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "init.h"

#define SSH_PORT 22
#define IDENTIFICATION "SSH-2.0-rehearsal\r\n"

/* RFC 4253 and RFC 5656 */
enum { KEXINIT = 20, ECDH_INIT = 30 };
enum { COOKIE_SIZE = 16, POINT_SIZE = 32, PACKET_SIZE = 512, BLOCK_SIZE = 8, PADDING_MIN = 4 };
enum { PATIENCE_S = 5, LENGTHS_SIZE = 5 };

/* What OpenSSH's client and this server agree on, in the order of a KEXINIT message. */
static const char *const algorithms[] = {
	"curve25519-sha256",
	"ssh-ed25519",
	"chacha20-poly1305@openssh.com",
	"chacha20-poly1305@openssh.com",
	"hmac-sha2-256",
	"hmac-sha2-256",
	"none",
	"none",
	"",
	"",
};

struct packet {
	unsigned char bytes[PACKET_SIZE];
	size_t used;
};

static void put(struct packet *packet, const void *bytes, size_t size)
{
	memcpy(packet->bytes + packet->used, bytes, size);
	packet->used += size;
}

static void put_string(struct packet *packet, const void *bytes, size_t size)
{
	uint32_t length = htonl((uint32_t)size);

	put(packet, &length, sizeof(length));
	put(packet, bytes, size);
}

/* The two lengths in front are filled in when all is there. */
static void begin(struct packet *packet, unsigned char message)
{
	memset(packet, 0, sizeof(*packet));
	packet->used = LENGTHS_SIZE;
	put(packet, &message, 1);
}

static bool send_packet(int sock, struct packet *packet)
{
	size_t padding = BLOCK_SIZE - packet->used % BLOCK_SIZE;
	uint32_t length;

	if (padding < PADDING_MIN)
		padding += BLOCK_SIZE;
	packet->bytes[LENGTHS_SIZE - 1] = (unsigned char)padding;
	packet->used += padding;
	length = htonl((uint32_t)(packet->used - sizeof(length)));
	memcpy(packet->bytes, &length, sizeof(length));
	return send(sock, packet->bytes, packet->used, MSG_NOSIGNAL) == (ssize_t)packet->used;
}

static bool send_algorithms(int sock)
{
	/* A cookie of zeros, and zeros behind the lists: no guess follows. */
	static const unsigned char cookie[COOKIE_SIZE], rest[5];
	struct packet packet;

	begin(&packet, KEXINIT);
	put(&packet, cookie, sizeof(cookie));
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
		put_string(&packet, algorithms[i], strlen(algorithms[i]));
	put(&packet, rest, sizeof(rest));
	return send_packet(sock, &packet);
}

static bool send_public_key(int sock)
{
	/* The base point of curve25519: the public key whose private one is 1. */
	static const unsigned char point[POINT_SIZE] = { 9 };
	struct packet packet;

	begin(&packet, ECDH_INIT);
	put_string(&packet, point, sizeof(point));
	return send_packet(sock, &packet);
}

/* Says all that a client says before it has to compute, and reads until the server has ended. */
static void converse(int sock)
{
	char answer[1024];

	if (send(sock, IDENTIFICATION, strlen(IDENTIFICATION), MSG_NOSIGNAL) < 0 || !send_algorithms(sock) ||
	    !send_public_key(sock) || shutdown(sock, SHUT_WR))
		return;
	while (recv(sock, answer, sizeof(answer), 0) > 0)
		;
}

static void connect_as_client(void)
{
	const struct sockaddr_in server = {
		.sin_family = AF_INET,
		.sin_port = htons(SSH_PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return;
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (!connect(sock, (const struct sockaddr *)&server, sizeof(server)))
		converse(sock);
	close(sock);
}

void rehearsal_of_shell(void)
{
	static const char *const argv[] = { "sh", "-c", ":", NULL };

	program_start("/bin/sh", argv);
}

void rehearsal_of_connection(void)
{
	if (fork())
		return;
	connect_as_client();
	_exit(0);
}
