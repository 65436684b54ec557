// The references of the benchmark: the least that a relay can be, in C. No policy, no names, no limits, no logs.
//
//   relay-loop splice|copy LISTEN_ADDRESS PORT UPSTREAM_ADDRESS PORT
//
// Each connection is carried to the upstream. One thread, one epoll, edge-triggered; after each read its bytes go out
// at once; a FIN is passed on when all before it has gone. `splice` has a pipe of 1 MiB a direction, made when a
// direction first has bytes, and kept for the life of the connection; `copy` reads into one buffer of 64 KiB, and keeps
// what the other side does not take.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIPE_BYTES = 1 << 20, COPY_BYTES = 1 << 16, MAX_EVENTS = 256, MAX_ROUNDS = 16 };

struct tunnel;

struct end {
  struct tunnel *tunnel;
  int fd;
  int readable, writable;
};

struct flow {
  struct end *from, *to;
  int pipe[2];
  size_t pending; // bytes in the pipe, or left of the buffer
  char *rest;
  size_t offset;
  int ended, done;
};

struct tunnel {
  struct end client, upstream;
  struct flow up, down;
  int queued;
  struct tunnel *next;
};

static int use_splice, epoll_fd;
static struct sockaddr_in upstream_address;
static char buffer[COPY_BYTES];
static struct tunnel *queue, *graveyard;

static void fail(const char *what) { perror(what); exit(1); }

static void enqueue(struct tunnel *t) {
  if (t->queued) return;
  t->queued = 1;
  t->next = queue;
  queue = t;
}

static ssize_t take_in(struct flow *f) {
  if (!use_splice) return read(f->from->fd, buffer, COPY_BYTES);
  if (f->pipe[0] < 0) {
    if (pipe2(f->pipe, O_NONBLOCK | O_CLOEXEC) < 0) fail("pipe");
    if (fcntl(f->pipe[1], F_SETPIPE_SZ, PIPE_BYTES) < 0) fail("F_SETPIPE_SZ");
  }
  return splice(f->from->fd, NULL, f->pipe[1], NULL, PIPE_BYTES, SPLICE_F_NONBLOCK);
}

static ssize_t give_out(struct flow *f) {
  if (use_splice) return splice(f->pipe[0], NULL, f->to->fd, NULL, f->pending, SPLICE_F_NONBLOCK);
  return write(f->to->fd, f->rest + f->offset, f->pending);
}

// Returns 1 when there is more to do, 0 when it waits, -1 when an end has failed.
static int pump(struct flow *f) {
  if (f->done) return 0;
  for (int round = 0; round < MAX_ROUNDS; round++) {
    if (f->pending > 0) {
      if (!f->to->writable) return 0;
      ssize_t out = give_out(f);
      if (out < 0) {
        if (errno != EAGAIN) return -1;
        f->to->writable = 0;
        return 0;
      }
      f->pending -= out;
      f->offset += out;
      continue;
    }
    if (f->ended) {
      shutdown(f->to->fd, SHUT_WR);
      f->done = 1;
      return 0;
    }
    if (!f->from->readable) return 0;
    ssize_t in = take_in(f);
    if (in == 0) f->ended = 1;
    else if (in < 0) {
      if (errno != EAGAIN) return -1;
      f->from->readable = 0;
    } else if (use_splice) {
      f->pending = in;
    } else {
      ssize_t out = f->to->writable ? write(f->to->fd, buffer, in) : 0;
      if (out < 0) {
        if (errno != EAGAIN) return -1;
        f->to->writable = 0;
        out = 0;
      }
      if (out < in) {
        if (f->rest == NULL && (f->rest = malloc(COPY_BYTES)) == NULL) fail("malloc");
        memcpy(f->rest, buffer + out, in - out);
        f->pending = in - out;
        f->offset = 0;
      }
    }
  }
  return 1;
}

static void bury(struct tunnel *t) {
  close(t->client.fd);
  close(t->upstream.fd);
  for (struct flow *f = &t->up; f != NULL; f = f == &t->up ? &t->down : NULL) {
    if (f->pipe[0] >= 0) { close(f->pipe[0]); close(f->pipe[1]); }
    free(f->rest);
  }
  t->client.fd = -1;
  t->next = graveyard;
  graveyard = t;
}

static void visit(struct tunnel *t) {
  int up = pump(&t->up), down = up < 0 ? -1 : pump(&t->down);
  if (up < 0 || down < 0 || (t->up.done && t->down.done)) bury(t);
  else if (up > 0 || down > 0) enqueue(t);
}

static void watch(struct end *e) {
  struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = e };
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, e->fd, &event) < 0) fail("epoll_ctl");
}

static void accept_all(int listener) {
  for (;;) {
    int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) return;
    int upstream = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    if (upstream < 0) fail("socket");
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(upstream, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(upstream, (struct sockaddr *)&upstream_address, sizeof upstream_address) < 0 && errno != EINPROGRESS)
      fail("connect");
    struct tunnel *t = calloc(1, sizeof *t);
    if (t == NULL) fail("calloc");
    t->client = (struct end){ t, client, 0, 0 };
    t->upstream = (struct end){ t, upstream, 0, 0 };
    t->up = (struct flow){ .from = &t->client, .to = &t->upstream, .pipe = { -1, -1 } };
    t->down = (struct flow){ .from = &t->upstream, .to = &t->client, .pipe = { -1, -1 } };
    watch(&t->client);
    watch(&t->upstream);
  }
}

static struct sockaddr_in address_of(const char *address, const char *port) {
  struct sockaddr_in result = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
  if (inet_pton(AF_INET, address, &result.sin_addr) != 1) fail(address);
  return result;
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: relay-loop splice|copy LISTEN_ADDRESS PORT UPSTREAM_ADDRESS PORT\n");
    return 2;
  }
  use_splice = strcmp(argv[1], "splice") == 0;
  struct sockaddr_in listen_address = address_of(argv[2], argv[3]);
  upstream_address = address_of(argv[4], argv[5]);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&listen_address, sizeof listen_address) < 0) fail("bind");
  if (listen(listener, 4096) < 0) fail("listen");
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL }, events[MAX_EVENTS];
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int count = epoll_wait(epoll_fd, events, MAX_EVENTS, queue == NULL ? -1 : 0);
    for (int i = 0; i < count; i++) {
      struct end *e = events[i].data.ptr;
      if (e == NULL) { accept_all(listener); continue; }
      int over = (events[i].events & (EPOLLERR | EPOLLHUP)) != 0;
      if (over || (events[i].events & EPOLLOUT)) e->writable = 1;
      if (over || (events[i].events & (EPOLLIN | EPOLLRDHUP))) e->readable = 1;
      enqueue(e->tunnel);
    }
    struct tunnel *turns = queue;
    queue = NULL;
    while (turns != NULL) {
      struct tunnel *t = turns;
      turns = t->next;
      t->queued = 0;
      visit(t);
    }
    // Events of one wait may name a tunnel twice, so they are freed behind it.
    while (graveyard != NULL) {
      struct tunnel *t = graveyard;
      graveyard = t->next;
      free(t);
    }
  }
}
