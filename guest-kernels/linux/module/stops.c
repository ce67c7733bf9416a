// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linux tells nobody but the parent that a process was stopped, and that only once it is: this looks, some times a second.
 * What is told last is true: if the process went on while it was told to be stopped, the next look tells that.
 */
#include <linux/err.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "channel.h"
#include "ikc_uapi.h"
#include "stops.h"

#define STOPS_PERIOD (HZ / 10)

struct stops {
	struct delayed_work work;
	struct channel *channel;
	struct pid *process;
	bool stopped; /* as was told */
	struct ikc_stops words;
};

static bool stops_is_stopped(struct pid *process)
{
	struct task_struct *leader = get_pid_task(process, PIDTYPE_TGID);
	bool stopped = leader && READ_ONCE(leader->signal->flags) & SIGNAL_STOP_STOPPED;

	if (leader)
		put_task_struct(leader);
	return stopped;
}

/* Without room there is another time. */
static void stops_look(struct work_struct *work)
{
	struct stops *stops = container_of(to_delayed_work(work), struct stops, work);
	bool stopped = stops_is_stopped(stops->process);

	if (stopped != stops->stopped &&
	    channel_send(stops->channel, stopped ? stops->words.stopped : stops->words.continued,
			 stops->words.length) != -EAGAIN)
		stops->stopped = stopped;
	queue_delayed_work(system_wq, &stops->work, STOPS_PERIOD);
}

struct stops *stops_new(struct channel *channel, const void __user *argument)
{
	struct stops *stops = kzalloc(sizeof(*stops), GFP_KERNEL);
	int err = -EINVAL;

	if (!stops)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(&stops->words, argument, sizeof(stops->words)))
		err = -EFAULT;
	else if (!stops->words.reserved && stops->words.length && stops->words.length <= IKC_STOPS_LENGTH)
		err = 0;
	if (err) {
		kfree(stops);
		return ERR_PTR(err);
	}
	stops->channel = channel;
	stops->process = get_pid(task_tgid(current));
	INIT_DELAYED_WORK(&stops->work, stops_look);
	queue_delayed_work(system_wq, &stops->work, STOPS_PERIOD);
	return stops;
}

void stops_free(struct stops *stops)
{
	if (!stops)
		return;
	cancel_delayed_work_sync(&stops->work);
	put_pid(stops->process);
	kfree(stops);
}
