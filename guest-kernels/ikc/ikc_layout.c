/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Compiled with -g for its DWARF alone: orchestrator/ikc.py reads every offset and constant there. */
#include "ikc_layout.h"
#include "ikc_bench.h"
#include "ikc_stream.h"

struct ikc_layout_roots {
	struct ikc_region region;
	struct ikc_partition partition;
	struct ikc_half half;
	struct ikc_scratch scratch;
	enum ikc_constant constant;
	enum ikc_vector vector;
	enum ikc_ring_kind ring_kind;
	enum ikc_kernel_kind kernel_kind;
	enum ikc_partition_state partition_state;
	enum ikc_command command;
	enum ikc_mailbox_result mailbox_result;
	enum ikc_link_state link_state;
	enum ikc_reset_reason reset_reason;
	enum ikc_port port;
	enum ikc_control control;
	enum ikc_channel_state channel_state;
	enum ikc_channel_refusal channel_refusal;
	enum ikc_packet packet;
	enum ikc_trace_direction trace_direction;
	enum ikc_stream_kind stream_kind;
};

extern struct ikc_layout_roots ikc_layout_roots;
struct ikc_layout_roots ikc_layout_roots;
