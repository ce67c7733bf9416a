/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the driver does without a lock on purpose, for TSan: a doorbell looks whether a channel's ring has something
 * to do while its program may be at it, and a program that spins looks so too. Too many or too few wake-ups are no
 * harm there: whoever is at the ring looks again by itself.
 */
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
	return "race:channel_rung\nrace:channel_spin\n";
}
