/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of ikcctl. words[0] is the verb itself; the result is the exit status. */
#ifndef VERBS_H
#define VERBS_H

int verb_bench(char **words);
int verb_channels(char **words);
int verb_log(char **words);
int verb_ping(char **words);
int verb_ps(char **words);
int verb_ready(char **words);
int verb_receive(char **words);
int verb_report(char **words);
int verb_send(char **words);
int verb_serve(char **words);
int verb_status(char **words);
int verb_stream(char **words);
int verb_window(char **words);

#endif
