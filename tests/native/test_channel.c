/* SPDX-License-Identifier: Apache-2.0 */
/* What a look at a channel finds, for every state of both ends, and a conversation over one. */
#include "channel_pair.h"

#include <string.h>

#include "check.h"

#define LIFE 5u

static const struct ikc_terms terms = { 300, 40000, 4711, 512 };

/* A letter for each of enum ikc_channel_news. */
static const char news_letters[] = "-aconeg!";

/* What the end `id` finds with channel 0 in `state`, the peer saying `peer_state` of this life or another. */
static char look(struct channel_pair *pair, uint32_t id, uint32_t state, bool peer_opened,
		 uint32_t peer_state, bool same)
{
	struct ikc_channels *channels = &pair->channels[id];
	struct ikc_channel *words = &pair->links[COUNT - 1 - id].own->channels[0];
	struct ikc_terms found;

	channels->ends[0] = (struct ikc_channel_end){
		.state = (enum ikc_channel_state)state, .life = LIFE, .peer_opened = peer_opened
	};
	words->state = peer_state;
	words->life = same ? LIFE : LIFE + 1;
	return news_letters[ikc_channel_look(channels, 0, &found)];
}

/* For peer states FREE to CLOSED and two that are none; "." where nobody cares. */
static void check_looks(uint32_t id, uint32_t state, bool peer_opened, const char *same,
			const char *other)
{
	struct channel_pair pair;

	channel_pair_create(&pair, COUNT);
	for (uint32_t peer_state = 0; peer_state < strlen(same); peer_state++) {
		uint32_t said = peer_state == 6 ? UINT32_MAX : peer_state;

		CHECK_EQ(look(&pair, id, state, peer_opened, said, true), same[peer_state]);
		CHECK_EQ(look(&pair, id, state, peer_opened, said, false), other[peer_state]);
	}
	guarded_destroy(&pair.memory);
}

/* The tables of docs/ikc-protocol.md, "Channel states": FREE, OPENING, OPEN, REFUSED, CLOSED, 5, ~0. */
static void test_look_of_the_opener_is_as_the_protocol_says(void)
{
	check_looks(OPENER, IKC_CHANNEL_FREE, false, "-------", "-------");
	check_looks(OPENER, IKC_CHANNEL_OPENING, false, "-!cnn!!", "-------");
	check_looks(OPENER, IKC_CHANNEL_OPEN, true, "!!-!e!!", "!!!!!!!");
	check_looks(OPENER, IKC_CHANNEL_CLOSED, true, "---gg--", "-------");
}

static void test_look_of_the_other_end_is_as_the_protocol_says(void)
{
	check_looks(OTHER, IKC_CHANNEL_FREE, false, "-a!!g!!", "-a!!g!!");
	check_looks(OTHER, IKC_CHANNEL_OPEN, false, "!-o!e!!", "!!!!!!!");
	check_looks(OTHER, IKC_CHANNEL_OPEN, true, "!!-!e!!", "!!!!!!!");
	check_looks(OTHER, IKC_CHANNEL_REFUSED, false, "g------", "g------");
	check_looks(OTHER, IKC_CHANNEL_CLOSED, true, "g------", "g------");
}

/* ---- a conversation ---- */

struct side {
	struct ikc_sender sender;
	struct ikc_receiver receiver;
};

static enum ikc_channel_news look_at(struct channel_pair *pair, uint32_t id, uint32_t index,
				     struct ikc_terms *found)
{
	CHECK(ikc_channels_changed(&pair->channels[id]));
	return ikc_channel_look(&pair->channels[id], index, found);
}

static uint32_t open_channel(struct channel_pair *pair, struct side sides[COUNT])
{
	struct ikc_terms found;
	int index = ikc_channel_open(&pair->channels[OPENER], &terms, IKC_VECTOR_CHANNEL + 1);

	CHECK(index >= 0);
	CHECK_EQ(look_at(pair, OTHER, (uint32_t)index, &found), IKC_CHANNEL_ASKED);
	CHECK_EQ(found.to_port, terms.to_port);
	CHECK_EQ(found.from_port, terms.from_port);
	CHECK_EQ(found.magic, terms.magic);
	CHECK_EQ(found.packet_size, terms.packet_size);
	ikc_channel_accept(&pair->channels[OTHER], (uint32_t)index, IKC_VECTOR_CHANNEL + 2,
			   &sides[OTHER].sender, &sides[OTHER].receiver);
	CHECK_EQ(look_at(pair, OPENER, (uint32_t)index, &found), IKC_CHANNEL_ACCEPTED);
	ikc_channel_confirm(&pair->channels[OPENER], (uint32_t)index, &sides[OPENER].sender,
			    &sides[OPENER].receiver);
	CHECK_EQ(look_at(pair, OTHER, (uint32_t)index, &found), IKC_CHANNEL_OPENED);
	CHECK(!ikc_channels_changed(&pair->channels[OTHER]));
	CHECK_EQ(ikc_channel_look(&pair->channels[OTHER], (uint32_t)index, &found), IKC_CHANNEL_NO_NEWS);
	CHECK_EQ(ikc_channel_vector(&pair->channels[OPENER], (uint32_t)index), IKC_VECTOR_CHANNEL + 2);
	CHECK_EQ(ikc_channel_vector(&pair->channels[OTHER], (uint32_t)index), IKC_VECTOR_CHANNEL + 1);
	return (uint32_t)index;
}

static void close_channel(struct channel_pair *pair, uint32_t index, struct side sides[COUNT])
{
	struct ikc_terms found;

	ikc_channel_close(&pair->channels[OTHER], index, &sides[OTHER].sender);
	CHECK_EQ(look_at(pair, OPENER, index, &found), IKC_CHANNEL_ENDED);
	ikc_channel_close(&pair->channels[OPENER], index, &sides[OPENER].sender);
	CHECK_EQ(look_at(pair, OPENER, index, &found), IKC_CHANNEL_GONE);
	CHECK_EQ(look_at(pair, OTHER, index, &found), IKC_CHANNEL_GONE);
}

static void send_text(struct ikc_sender *sender, const char *text)
{
	struct ikc_message message = { (uint32_t)strlen(text), IKC_PACKET_COPIED, 0 };

	CHECK_EQ(ikc_send(sender, &message, text), IKC_OK);
}

static void receive_text(struct ikc_receiver *receiver, const char *text)
{
	struct ikc_message message;
	char got[IKC_MESSAGE_MAX];

	CHECK_EQ(ikc_receive(receiver, &message, got, sizeof(got)), IKC_OK);
	CHECK_EQ(message.length, strlen(text));
	CHECK(!memcmp(got, text, message.length));
}

static void test_channel_carries_messages_both_ways_in_each_life(void)
{
	struct channel_pair pair;
	struct side sides[COUNT];

	channel_pair_create(&pair, COUNT);
	for (uint32_t life = 1; life <= 100; life++) {
		uint32_t index = open_channel(&pair, sides);

		CHECK_EQ(index, 0);
		send_text(&sides[OPENER].sender, "a question");
		send_text(&sides[OTHER].sender, "an answer");
		send_text(&sides[OTHER].sender, "never taken");
		receive_text(&sides[OTHER].receiver, "a question");
		receive_text(&sides[OPENER].receiver, "an answer");
		close_channel(&pair, index, sides);
	}
	guarded_destroy(&pair.memory);
}

static void test_ends_open_channels_of_their_own(void)
{
	struct channel_pair pair;

	channel_pair_create(&pair, COUNT);
	for (uint32_t i = 0; i < IKC_CHANNELS / 2; i++) {
		CHECK_EQ(ikc_channel_open(&pair.channels[OPENER], &terms, IKC_VECTOR_CHANNEL), i);
		CHECK_EQ(ikc_channel_open(&pair.channels[OTHER], &terms, IKC_VECTOR_CHANNEL),
			 IKC_CHANNELS / 2 + i);
	}
	CHECK_EQ(ikc_channel_open(&pair.channels[OPENER], &terms, IKC_VECTOR_CHANNEL), IKC_FULL);
	CHECK_EQ(ikc_channel_open(&pair.channels[OTHER], &terms, IKC_VECTOR_CHANNEL), IKC_FULL);
	guarded_destroy(&pair.memory);
}

static void test_refusal_tells_why(void)
{
	struct channel_pair pair;
	struct ikc_terms found;

	channel_pair_create(&pair, COUNT);
	CHECK_EQ(ikc_channel_open(&pair.channels[OPENER], &terms, IKC_VECTOR_CHANNEL), 0);
	CHECK_EQ(look_at(&pair, OTHER, 0, &found), IKC_CHANNEL_ASKED);
	ikc_channel_refuse(&pair.channels[OTHER], 0, IKC_REFUSAL_MAGIC);
	CHECK_EQ(look_at(&pair, OPENER, 0, &found), IKC_CHANNEL_DENIED);
	CHECK_EQ(found.magic, IKC_REFUSAL_MAGIC);
	CHECK_EQ(ikc_channel_open(&pair.channels[OPENER], &terms, IKC_VECTOR_CHANNEL), 1);
	CHECK_EQ(look_at(&pair, OTHER, 0, &found), IKC_CHANNEL_GONE);
	CHECK(strstr(ikc_refusal_word(IKC_REFUSAL_MAGIC), "magic") != NULL);
	CHECK_EQ(*ikc_refusal_word(UINT32_MAX), '?');
	guarded_destroy(&pair.memory);
}

static void test_vector_that_is_none_of_the_channels_is_not_rung(void)
{
	struct channel_pair pair;

	channel_pair_create(&pair, COUNT);
	for (uint32_t vector = 0; vector < 2 * IKC_VECTORS; vector++) {
		bool valid = vector >= IKC_VECTOR_CHANNEL && vector < IKC_VECTORS;

		pair.links[OTHER].own->channels[3].vector = vector;
		CHECK_EQ(ikc_channel_vector(&pair.channels[OPENER], 3),
			 valid ? vector : IKC_VECTOR_CHANNEL);
	}
	guarded_destroy(&pair.memory);
}

/* A life of the link that ends with channels in every state leaves none of them behind. */
static void test_channels_are_free_when_the_link_comes_back(void)
{
	struct channel_pair pair;
	struct side sides[COUNT];
	struct ikc_terms found;

	channel_pair_create(&pair, COUNT);
	open_channel(&pair, sides);
	CHECK_EQ(ikc_channel_open(&pair.channels[OPENER], &terms, IKC_VECTOR_CHANNEL), 1);
	ikc_channel_close(&pair.channels[OTHER], 0, &sides[OTHER].sender);
	ikc_link_reset(&pair.links[OPENER], IKC_RESET_LOCAL);
	for (uint32_t i = 0; i < 10; i++)
		ikc_link_settle(&pair.links[i % COUNT]);
	for (uint32_t id = 0; id < COUNT; id++) {
		CHECK_EQ(pair.links[id].state, IKC_LINK_RUN);
		ikc_channels_begin(&pair.channels[id]);
	}
	for (uint32_t id = 0; id < COUNT; id++) {
		CHECK(ikc_channels_changed(&pair.channels[id]));
		for (uint32_t index = 0; index < IKC_CHANNELS; index++)
			CHECK_EQ(ikc_channel_look(&pair.channels[id], index, &found),
				 IKC_CHANNEL_NO_NEWS);
	}
	CHECK_EQ(open_channel(&pair, sides), 0);
	guarded_destroy(&pair.memory);
}

int main(void)
{
	RUN(test_look_of_the_opener_is_as_the_protocol_says);
	RUN(test_look_of_the_other_end_is_as_the_protocol_says);
	RUN(test_channel_carries_messages_both_ways_in_each_life);
	RUN(test_ends_open_channels_of_their_own);
	RUN(test_refusal_tells_why);
	RUN(test_vector_that_is_none_of_the_channels_is_not_rung);
	RUN(test_channels_are_free_when_the_link_comes_back);
	return 0;
}
