// SPDX-License-Identifier: Apache-2.0
/*
 * The network, set by ioctl (netdevice(7)) because the addresses are known: QEMU's user network is
 * always 10.0.2.0/24 with the gateway at .2 and the first guest at .15, and asking by DHCP takes longer.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <net/route.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "init.h"

#define NETWORK_INTERFACE "eth0"
#define NETWORK_ADDRESS "10.0.2.15"
#define NETWORK_MASK "255.255.255.0"
#define NETWORK_GATEWAY "10.0.2.2"

static struct sockaddr ipv4(const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr generic;

	inet_pton(AF_INET, text, &in.sin_addr);
	memcpy(&generic, &in, sizeof(generic));
	return generic;
}

static struct ifreq request_for(const char *interface)
{
	struct ifreq request = { 0 };

	strncpy(request.ifr_name, interface, sizeof(request.ifr_name) - 1);
	return request;
}

static int set_address(int sock, unsigned long command, const char *text)
{
	struct ifreq request = request_for(NETWORK_INTERFACE);

	request.ifr_addr = ipv4(text);
	return ioctl(sock, command, &request);
}

static int set_up(int sock, const char *interface)
{
	struct ifreq request = request_for(interface);

	request.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(sock, SIOCSIFFLAGS, &request);
}

static int set_default_route(int sock)
{
	struct rtentry route = {
		.rt_dst = ipv4("0.0.0.0"),
		.rt_genmask = ipv4("0.0.0.0"),
		.rt_gateway = ipv4(NETWORK_GATEWAY),
		.rt_flags = RTF_UP | RTF_GATEWAY,
	};

	return ioctl(sock, SIOCADDRT, &route);
}

void network_configure(void)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock < 0) {
		report_errno("cannot open a socket to set the network");
		return;
	}
	if (set_up(sock, "lo"))
		report_errno("cannot set lo up");
	if (set_address(sock, SIOCSIFADDR, NETWORK_ADDRESS) ||
	    set_address(sock, SIOCSIFNETMASK, NETWORK_MASK) ||
	    set_up(sock, NETWORK_INTERFACE) || set_default_route(sock))
		report_errno("cannot set " NETWORK_INTERFACE " to " NETWORK_ADDRESS " by "
			     NETWORK_GATEWAY);
	close(sock);
}
