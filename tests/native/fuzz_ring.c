/* SPDX-License-Identifier: Apache-2.0 */
/* A ring whose other end writes what libFuzzer likes. */
#include "check.h"
#include "fuzz.h"
#include "ring_pair.h"

#define GENERATION 0x00010001u
#define SLOTS 32u

static struct ring_pair there, back; /* we send there, the peer sends back */
static uint8_t *payload;

static void begin(void)
{
	static bool begun;

	if (!begun) {
		ring_pair_create(&there, SLOTS, 0, GENERATION, 2);
		ring_pair_create(&back, SLOTS, 0, GENERATION, 2);
		payload = guarded_end(IKC_MESSAGE_MAX);
		begun = true;
	}
	memset(there.cursors.at[0], 0, there.cursors.size);
	memset(back.cursors.at[0], 0, back.cursors.size);
	memset(back.slots.at[0], 0, back.slots.size);
	there.sender.head = back.receiver.tail = 0;
}

static void send(struct script *script)
{
	struct ikc_sender *sender = &there.sender;
	struct ikc_message message = { script_choice(script, IKC_MESSAGE_MAX + 2), 1, 1 };
	uint32_t head = sender->head;
	uint32_t largest = ikc_ring_message_max(SLOTS);
	uint32_t from = message.length > IKC_MESSAGE_MAX ? IKC_MESSAGE_MAX : message.length;
	int result = ikc_send(sender, &message, payload + IKC_MESSAGE_MAX - from);

	CHECK_EQ(sender->head - head, result == IKC_OK ? ikc_slots_for(message.length) : 0);
	CHECK(result != IKC_OK || message.length <= largest);
	ikc_receiver_sleeps(sender);
}

static void receive(struct script *script)
{
	struct ikc_receiver *receiver = &back.receiver;
	uint32_t capacity = script_choice(script, IKC_MESSAGE_MAX + 1), tail = receiver->tail;
	struct ikc_message message;
	int result = ikc_receive(receiver, &message, payload + IKC_MESSAGE_MAX - capacity, capacity);

	CHECK(result != IKC_OK || message.length <= capacity);
	CHECK_EQ(receiver->tail - tail, result == IKC_OK ? ikc_slots_for(message.length) : 0);
	ikc_sender_sleeps(receiver);
}

/* Stamps that are waited for are beyond what a fuzzer guesses. */
static void forge_message(struct script *script)
{
	uint32_t slots = script_choice(script, SLOTS + 1), length = script_choice(script, 5000);

	for (uint32_t i = 0; i < slots; i++) {
		uint32_t index = back.receiver.tail + i;
		struct ikc_slot *slot = (struct ikc_slot *)back.slots.at[0] + index % SLOTS;

		slot->stamp = ikc_stamp(GENERATION, index);
		slot->length = length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = { data, data + size };

	begin();
	while (script.at < script.end) {
		switch (script_choice(&script, 6)) {
		case 0:
			send(&script);
			break;
		case 1:
			receive(&script);
			break;
		case 2:
			forge_message(&script);
			break;
		case 3:
			script_scribbles(&script, back.slots.at[0], (uint32_t)back.slots.size);
			break;
		case 4: /* of both rings: the peer's cursor of one is our peer's of the other */
			script_scribbles(&script, (struct ikc_cursor *)there.cursors.at[1] + 1,
					 sizeof(struct ikc_cursor));
			break;
		default:
			script_scribbles(&script, back.cursors.at[0], sizeof(struct ikc_cursor));
		}
	}
	return 0;
}
