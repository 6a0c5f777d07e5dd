/* Closed-loop load on a Handle resolver: every client asks, waits for the whole answer, asks again.
 *
 *   loadgen udp|tcp|http HOST PORT CLIENTS SECONDS NAMES FILTERED_PERCENT PREFIX [RATE]
 *
 * With RATE (requests per second over all clients) it paces itself instead of going flat out.
 * Names are PREFIX/B0000000 .. ; FILTERED_PERCENT of the requests ask for one type only. The answer's
 * response code is checked (HTTP: the status). Prints one line of JSON. One thread, epoll. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 1024
#define BUCKETS 200000 /* microseconds; the last one collects what is longer */

enum mode { UDP, TCP, HTTP };
struct client { int fd; uint64_t sent; uint32_t id; int have; unsigned char in[65536]; };

static struct client clients[MOST];
static uint32_t histogram[BUCKETS];
static enum mode mode;
static long names, filtered;
static const char *prefix;
static uint32_t next_id = 1;
static uint64_t seed = 88172645463325252ull;

static uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}
static uint64_t draw(void) { seed ^= seed << 13; seed ^= seed >> 7; seed ^= seed << 17; return seed; }
static unsigned char *put4(unsigned char *at, uint32_t v) {
    at[0] = v >> 24; at[1] = v >> 16; at[2] = v >> 8; at[3] = v;
    return at + 4;
}
static uint32_t get4(const unsigned char *at) {
    return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static int request(struct client *c, unsigned char *out) {
    char name[256];
    int n = snprintf(name, sizeof name, "%s/B%07ld", prefix, (long)(draw() % names));
    int narrow = (long)(draw() % 100) < filtered;
    if (mode == HTTP)
        return sprintf((char *)out, "GET /api/handles/%s%s HTTP/1.1\r\nHost: resolver\r\n"
                       "User-Agent: loadgen\r\nAccept: application/json\r\n\r\n",
                       name, narrow ? "?type=URL" : "");
    int types = narrow ? 4 + 3 : 0;
    int body = 4 + n + 4 + 4 + types;
    unsigned char *at = out;
    *at++ = 2; *at++ = 11; *at++ = 2; *at++ = 11;
    at = put4(at, 0);
    c->id = next_id++;
    at = put4(at, c->id);
    at = put4(at, 0);
    at = put4(at, 24 + body + 4);
    at = put4(at, 1); at = put4(at, 0); at = put4(at, 0x01000000); /* public values only */
    *at++ = 0xff; *at++ = 0xff; *at++ = 0; *at++ = 0;
    at = put4(at, 0x6b000000); at = put4(at, body);
    at = put4(at, n); memcpy(at, name, n); at += n;
    at = put4(at, 0);
    at = put4(at, narrow ? 1 : 0);
    if (narrow) { at = put4(at, 3); memcpy(at, "URL", 3); at += 3; }
    at = put4(at, 0);
    return at - out;
}

/* 1: whole and right, -1: whole and wrong, 0: not yet whole */
static int judge(struct client *c) {
    if (mode == HTTP) {
        char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
        if (!end) return 0;
        char *length = strcasestr((char *)c->in, "content-length:");
        if (!length || length > end) return -1;
        int whole = (end - (char *)c->in) + 4 + atoi(length + 15);
        if (c->have < whole) return 0;
        return memcmp(c->in + 9, "200", 3) == 0 ? 1 : -1;
    }
    if (c->have < 28) return 0;
    if (mode == TCP && c->have < (int)get4(c->in + 16) + 20) return 0;
    if (get4(c->in + 8) != c->id) return mode == UDP ? 0 : -1;
    return get4(c->in + 24) == 1 ? 1 : -1;
}

static void ask(struct client *c) {
    unsigned char out[2048];
    int n = request(c, out);
    c->have = 0;
    c->sent = now_us();
    if (send(c->fd, out, n, 0) != n && errno != EAGAIN) { perror("send"); exit(1); }
}

int main(int argc, char **argv) {
    if (argc != 9 && argc != 10) { fprintf(stderr, "usage: see the head of loadgen.c\n"); return 2; }
    mode = strcmp(argv[1], "udp") == 0 ? UDP : strcmp(argv[1], "tcp") == 0 ? TCP : HTTP;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[3]))};
    inet_pton(AF_INET, argv[2], &to.sin_addr);
    int count = atoi(argv[4]);
    double seconds = atof(argv[5]);
    names = atol(argv[6]); filtered = atol(argv[7]); prefix = argv[8];
    double rate = argc == 10 ? atof(argv[9]) : 0;
    if (count > MOST) count = MOST;
    int poll = epoll_create1(0);
    for (int i = 0; i < count; i++) {
        struct client *c = &clients[i];
        c->fd = socket(AF_INET, mode == UDP ? SOCK_DGRAM : SOCK_STREAM, 0);
        if (connect(c->fd, (struct sockaddr *)&to, sizeof to)) { perror("connect"); return 1; }
        int on = 1;
        if (mode != UDP) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &e);
    }
    uint64_t start = now_us(), end = start + (uint64_t)(seconds * 1e6), look = start + 500000;
    uint64_t done = 0, wrong = 0, lost = 0, asked = 0;
    struct client *idle[MOST];
    int waiting = 0;
    for (int i = 0; i < count; i++) {
        if (rate > 0) idle[waiting++] = &clients[i]; else ask(&clients[i]);
    }
    while (now_us() < end) {
        struct epoll_event events[MOST];
        while (waiting && asked < (now_us() - start) / 1e6 * rate) { ask(idle[--waiting]); asked++; }
        int ready = epoll_wait(poll, events, MOST, rate > 0 ? 1 : 100);
        for (int i = 0; i < ready; i++) {
            struct client *c = events[i].data.ptr;
            ssize_t n = recv(c->fd, c->in + c->have, sizeof c->in - c->have - 1, 0);
            if (n == 0) { fprintf(stderr, "server closed the connection\n"); return 1; }
            if (n < 0) continue;
            c->have += n;
            c->in[c->have] = 0;
            int verdict = judge(c);
            if (!verdict) { if (mode == UDP) c->have = 0; continue; }
            uint64_t took = now_us() - c->sent;
            histogram[took < BUCKETS ? took : BUCKETS - 1]++;
            done++;
            wrong += verdict < 0;
            if (rate > 0) idle[waiting++] = c; else ask(c);
        }
        if (mode == UDP && rate <= 0 && now_us() > look) {
            uint64_t before = now_us();
            look = before + 500000;
            for (int i = 0; i < count; i++)
                if (before - clients[i].sent > 1000000) { lost++; ask(&clients[i]); }
        }
    }
    double took = (now_us() - start) / 1e6;
    uint64_t seen = 0, p50 = 0, p99 = 0;
    for (int b = 0; b < BUCKETS; b++) {
        seen += histogram[b];
        if (!p50 && seen * 2 >= done) p50 = b;
        if (!p99 && seen * 100 >= done * 99) { p99 = b; break; }
    }
    printf("{\"requests\": %lu, \"seconds\": %.3f, \"p50_us\": %lu, \"p99_us\": %lu, "
           "\"wrong\": %lu, \"lost\": %lu}\n", done, took, p50, p99, wrong, lost);
    return 0;
}
