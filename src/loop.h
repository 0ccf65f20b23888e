/* A poll(2) loop with timers and signals. A signal is an event like any other: its handler writes
 * one byte to a pipe that the loop polls. The pipe's write end is the only mutable global that we have.
 *
 * The thread that made it turns it, and is inside but while it waits for events. Others may come in then, one at a
 * time: all that callbacks touch belongs to whoever is inside, and needs no other lock. */
#ifndef DR_LOOP_H
#define DR_LOOP_H

#include <stdint.h>

struct dr_err;
struct dr_loop;

/* Callbacks may watch, stop watching, set and cancel anything, themselves too; what they stop isn't called
 * any more. They may neither turn the loop nor free it. */
typedef void (*dr_loop_fd_fn)(void *arg, int fd, short revents);
typedef void (*dr_loop_fn)(void *arg);
typedef void (*dr_loop_signal_fn)(void *arg, int sig);

struct dr_loop *dr_loop_new(struct dr_err *err);
/* Restores every disposition that dr_loop_signal changed. NULL is fine. */
void dr_loop_free(struct dr_loop *l);

/* Watches fd for events (POLLIN, POLLOUT); 0 events: no more. A second call for an fd replaces the first. */
int dr_loop_fd(struct dr_loop *l, int fd, short events, dr_loop_fd_fn fn, void *arg, struct dr_err *err);

/* Calls fn once at `when` (dr_now's clock), in order of `when`, then of being set; what a timer's callback
 * sets waits for the next turn. *id (never 0; id may be NULL) cancels it; cancelling a fired or zero id is
 * fine. */
int dr_loop_timer(struct dr_loop *l, int64_t when, dr_loop_fn fn, void *arg, uint64_t *id, struct dr_err *err);
void dr_loop_cancel(struct dr_loop *l, uint64_t id);

/* Calls fn in the loop when sig arrives, once for each time that it did; but for SIGCHLD once a turn, so that
 * fn waits for all children that have ended. A second call for a signal replaces the first. A signal that is
 * blocked is unblocked until the loop is freed. A signal that was ignored when we were started stays ignored
 * (nohup), except SIGCHLD. Only one loop of a process may watch signals at a time. */
int dr_loop_signal(struct dr_loop *l, int sig, dr_loop_signal_fn fn, void *arg, struct dr_err *err);

/* Waits until something happens, at most until `deadline` (dr_now's clock; <0: for ever; 0: does not wait),
 * and calls what it is for: descriptors first, then signals, then timers. 0 or -1 with err. */
int dr_loop_turn(struct dr_loop *l, int64_t deadline, struct dr_err *err);

/* For threads that do not turn it: waits until nobody is inside, then is; and leaves. What they watch or set there
 * counts at once. */
void dr_loop_enter(struct dr_loop *l);
void dr_loop_leave(struct dr_loop *l);
/* For such a thread, inside: the turn that waits ends at `when` at the latest (dr_now's clock; <0: that is up to it). */
void dr_loop_hurry(struct dr_loop *l, int64_t when);

#endif
