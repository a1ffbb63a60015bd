/*
 * Measures for how long connections through a balancer are silent; benchmarks/upgrade.py compiles
 * and runs it. It takes little CPU, so that it hardly delays what it measures.
 *
 *   silence host PORT
 *       sends back what it gets. A connection that gives it the single byte F gets as much as it
 *       takes, and nothing after that.
 *   silence clients PORT CONNECTIONS TALKERS PERIOD SLOW
 *       opens connections. Some, spread evenly over all, send a number every PERIOD microseconds,
 *       whether the last one has come back or not. SLOW others, with small buffers, ask for as much
 *       as they take, and read a little now and then. A wait is the time from sending a number to
 *       reading it. It writes "open". For each line of standard input it writes the longest wait
 *       of each of these connections since the line before, in microseconds. At the end of the
 *       input every other connection has to send a byte back, and it writes how many do not.
 *
 * It ends with status 1 if another number comes back, or a connection that talks ends.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Events that are read at once, and connections that are being opened at a time. */
#define EVENTS 256
#define STEP 100
/* The most connections of a process, and of those that talk. */
#define MOST 100000
#define TALKERS 1000
/* Bytes that a slow one reads at once, the number of turns from one such read to the next, and its
   buffer. */
#define SIP 512
#define TURNS 8
#define SMALL 4096
/* The most numbers of a connection that have not come back. A power of two. */
#define WINDOW 65536
/* Seconds for each answer. */
#define PATIENCE 60
/* Events that are not those of a connection. */
#define TIMER TALKERS
#define INPUT (TALKERS + 1)

struct talker {
    int fd;
    /* Numbers sent, and come back. */
    uint32_t sent, got;
    /* The number that is being read, and how many of its bytes have come. */
    unsigned char number[sizeof(uint32_t)];
    size_t bytes;
    int64_t longest;
    /* When each number was sent. */
    int64_t when[WINDOW];
};

static struct talker *talkers[TALKERS];
static int count;

/* The connections that read slowly. */
static int slow[MOST];
static int slowCount;

static void fail(const char *what)
{
    fprintf(stderr, "silence: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000LL + at.tv_nsec / 1000;
}

static struct sockaddr_in here(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void sendAtOnce(int fd)
{
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

static void watch(int poll, int fd, uint32_t what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = what};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event))
        fail("epoll_ctl");
}

static void acceptAll(int poll, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, 0)) >= 0) {
        sendAtOnce(fd);
        watch(poll, fd, fd);
    }
    if (errno != EAGAIN)
        fail("accept");
}

static void host(int port)
{
    static char data[65536];
    int yes = 1, poll = epoll_create1(0);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = here(port);
    struct epoll_event found[EVENTS];
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096))
        fail("listen");
    watch(poll, listener, listener);
    for (;;) {
        int ready = epoll_wait(poll, found, EVENTS, -1);
        for (int at = 0; at < ready; at++) {
            int fd = found[at].data.u32;
            if (fd == listener) {
                acceptAll(poll, listener);
                continue;
            }
            ssize_t size = read(fd, data, sizeof data);
            if (size == 1 && data[0] == 'F') {
                fcntl(fd, F_SETFL, O_NONBLOCK);
                while (write(fd, data, sizeof data) > 0)
                    ;
                continue;
            }
            if (size <= 0 || write(fd, data, size) != size)
                close(fd);
        }
    }
}

/* Tell whether a connection gives a byte back. */
static int answers(int fd)
{
    struct pollfd asked = {.fd = fd, .events = POLLIN};
    char byte = 'y', answer = 0;
    return write(fd, &byte, 1) == 1 && poll(&asked, 1, PATIENCE * 1000) == 1
           && read(fd, &answer, 1) == 1 && answer == byte;
}

/* Tell whether there is something to read. */
static int gives(int fd)
{
    struct pollfd asked = {.fd = fd, .events = POLLIN};
    return poll(&asked, 1, PATIENCE * 1000) == 1 && (asked.revents & POLLIN);
}

static void openAll(int port, int connections, int *fds)
{
    struct sockaddr_in address = here(port);
    for (int first = 0; first < connections; first += STEP) {
        int end = first + STEP < connections ? first + STEP : connections;
        for (int at = first; at < end; at++) {
            int fd = fds[at] = socket(AF_INET, SOCK_STREAM, 0);
            if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
                fail("connect");
            sendAtOnce(fd);
        }
        for (int at = first; at < end; at++)
            if (!answers(fds[at]))
                fail("a connection was not served");
    }
}

static void slowDown(int fd)
{
    int small = SMALL;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    if (write(fd, "F", 1) != 1)
        fail("a connection takes nothing");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    slow[slowCount++] = fd;
}

/* Read a little of one slow connection. Tell whether there was something. */
static int sip(int fd)
{
    char data[SIP];
    ssize_t size = read(fd, data, sizeof data);
    if (size == 0 || (size < 0 && errno != EAGAIN))
        fail("a slow connection has ended");
    return size > 0;
}

static void say(struct talker *each)
{
    uint32_t number = each->sent;
    if (each->sent - each->got >= WINDOW)
        return;
    each->when[number % WINDOW] = now();
    if (write(each->fd, &number, sizeof number) != sizeof number)
        fail("a connection takes nothing");
    each->sent++;
}

static void hear(struct talker *each)
{
    unsigned char data[4096];
    ssize_t size = read(each->fd, data, sizeof data);
    int64_t at = now();
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0)
        fail("a connection has ended");
    for (ssize_t place = 0; place < size; place++) {
        each->number[each->bytes++] = data[place];
        if (each->bytes < sizeof each->number)
            continue;
        each->bytes = 0;
        if (memcmp(each->number, &each->got, sizeof each->got)) {
            fprintf(stderr, "silence: another number than %u has come back\n", each->got);
            exit(1);
        }
        int64_t wait = at - each->when[each->got++ % WINDOW];
        if (wait > each->longest)
            each->longest = wait;
    }
}

static void tell(void)
{
    int64_t at = now();
    for (int place = 0; place < count; place++) {
        struct talker *each = talkers[place];
        /* A number that has not come back yet waits for this long at least. */
        int64_t wait = each->got == each->sent ? 0 : at - each->when[each->got % WINDOW];
        printf("%lld ", (long long)(wait > each->longest ? wait : each->longest));
        each->longest = 0;
    }
    printf("\n");
    fflush(stdout);
}

static void sayDue(int timer)
{
    static int next, turn;
    uint64_t due;
    if (read(timer, &due, sizeof due) != sizeof due)
        return;
    /* This process may have been late: each says one number. */
    for (due = due < (uint64_t)count ? due : (uint64_t)count; due; due--)
        say(talkers[next++ % count]);
    if (slowCount && ++turn % TURNS == 0)
        sip(slow[turn / TURNS % slowCount]);
}

static void clients(int port, int connections, int talking, int period, int slowly)
{
    static int fds[MOST];
    struct epoll_event found[EVENTS];
    char line[256];
    int poll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), lost = 0;
    if (connections > MOST || talking > TALKERS || talking < 1 || slowly < 0
        || talking + slowly > connections) {
        fprintf(stderr, "silence: too many connections\n");
        exit(2);
    }
    openAll(port, connections, fds);
    for (; count < talking; count++) {
        struct talker *each = talkers[count] = calloc(1, sizeof *each);
        int place = (int)((2L * count + 1) * connections / (2 * talking));
        each->fd = fds[place];
        fds[place] = -1;
        fcntl(each->fd, F_SETFL, O_NONBLOCK);
        watch(poll, each->fd, count);
    }
    for (int place = 0; slowCount < slowly; place++) {
        int fd = fds[place];
        /* The first of those that don't talk. */
        if (fd >= 0)
            slowDown(fd);
        fds[place] = -1;
    }
    printf("open\n");
    fflush(stdout);
    long step = 1000L * period / talking;
    struct itimerspec often = {{0, step}, {0, step}};
    timerfd_settime(timer, 0, &often, NULL);
    watch(poll, timer, TIMER);
    watch(poll, 0, INPUT);
    for (;;) {
        int ready = epoll_wait(poll, found, EVENTS, -1);
        for (int at = 0; at < ready; at++) {
            uint32_t what = found[at].data.u32;
            if (what < TALKERS)
                hear(talkers[what]);
            else if (what == TIMER)
                sayDue(timer);
            else if (read(0, line, sizeof line) > 0)
                tell();
            else {
                for (int place = 0; place < connections; place++)
                    lost += fds[place] >= 0 && !answers(fds[place]);
                for (int place = 0; place < slowCount; place++)
                    lost += !gives(slow[place]);
                printf("%d\n", lost);
                exit(0);
            }
        }
    }
}

int main(int number, char **words)
{
    if (number == 3 && !strcmp(words[1], "host"))
        host(atoi(words[2]));
    if (number == 7 && !strcmp(words[1], "clients"))
        clients(atoi(words[2]), atoi(words[3]), atoi(words[4]), atoi(words[5]), atoi(words[6]));
    fprintf(stderr, "silence: wrong arguments\n");
    return 2;
}
