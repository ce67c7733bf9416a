/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signal_order go|stop ROUNDS COMMAND...: sends SIGTSTP and SIGCONT right behind each other to COMMAND, and tells how often it
 * went on, or stopped, as the last of the two says. COMMAND runs this program, too, as: signal_order compute|wait.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define QUESTION (SIGRTMIN + 2) /* taken after the other two: its number is higher */
#define LOOKS 20000 /* a millisecond each, and not a time: a computer may stand still meanwhile */

/* ---- who is stopped ---- */

static void answer(int number)
{
	(void)number;
	if (write(1, ".", 1) != 1)
		_exit(98);
}

/* In a call of the proxy's that never ends by itself, or in none. */
static int live(bool waits)
{
	const struct sigaction action = { .sa_handler = answer, .sa_flags = SA_RESTART };
	int never[2];
	char byte;

	if (pipe(never) || sigaction(QUESTION, &action, NULL))
		return 98;
	answer(QUESTION);
	while (!waits || read(never[0], &byte, 1))
		;
	return 98;
}

/* ---- who stops it ---- */

static pid_t child;
static int answers;

static void begin(char **words)
{
	int ends[2];

	if (pipe(ends))
		exit(98);
	child = fork();
	if (!child) {
		setpgid(0, 0); /* else nobody would be left to continue it, and SIGTSTP be ignored */
		dup2(ends[1], 1);
		execvp(words[0], words);
		_exit(98);
	}
	setpgid(child, child);
	close(ends[1]);
	answers = ends[0];
}

static bool is_answered(void)
{
	struct pollfd entry = { .fd = answers, .events = POLLIN };
	int looks = 0;
	char byte;

	while (poll(&entry, 1, 1) != 1)
		if (++looks == LOOKS)
			return false;
	return read(answers, &byte, 1) == 1;
}

static bool answers_question(void)
{
	kill(child, QUESTION);
	return is_answered();
}

/* What there was to hear of it so far is heard. */
static bool is_told_to_be_stopped(void)
{
	siginfo_t info = { 0 };

	while (!waitid(P_PID, child, &info, WSTOPPED | WCONTINUED | WNOHANG) && info.si_pid) {
		if (info.si_code == CLD_STOPPED)
			return true;
		info.si_pid = 0;
	}
	return false;
}

static bool comes_to_be_stopped(void)
{
	const struct timespec pause = { 0, 1000000 };
	int looks;

	for (looks = 0; looks < LOOKS; looks++) {
		if (is_told_to_be_stopped())
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static bool goes_on(void)
{
	kill(child, SIGTSTP);
	kill(child, SIGCONT);
	return answers_question();
}

static bool stops(void)
{
	bool stopped;

	kill(child, SIGCONT);
	kill(child, SIGTSTP);
	stopped = comes_to_be_stopped();
	kill(child, SIGCONT);
	while (is_told_to_be_stopped())
		;
	return stopped && answers_question();
}

int main(int argc, char **argv)
{
	bool (*turn)(void);
	int rounds, done = 0;

	if (argc == 2)
		return live(!strcmp(argv[1], "wait"));
	if (argc < 4)
		return 99;
	turn = strcmp(argv[1], "go") ? stops : goes_on;
	rounds = atoi(argv[2]);
	begin(argv + 3);
	if (is_answered())
		while (done < rounds && turn())
			done++;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	printf("%d\n", done);
	return 0;
}
