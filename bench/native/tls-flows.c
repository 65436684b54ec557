// The client of bulk over TLS: the least that receiving it can be.
//
//   tls-flows ADDRESS PORT TARGET FLOWS BYTES
//
// Opens so many TLS 1.3 connections with TLS_AES_128_GCM_SHA256; asks in each for a tunnel to TARGET with CONNECT, or
// for nothing when TARGET is `-`. Says `ready`, waits for a line on standard input, asks the source behind for its share
// of BYTES over each, throws them away, and prints one line of JSON. One thread, one epoll; the certificate is not
// verified.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FLOWS = 256, READ_AHEAD_BYTES = 1 << 17, WAIT_MS = 30000 };

struct flow {
  SSL *ssl;
  long long left;
};

static struct flow flows[MAX_FLOWS];
static char buffer[1 << 16];

static void fail(const char *what) {
  fprintf(stderr, "Error: %s: %s\n", what, strerror(errno));
  ERR_print_errors_fp(stderr);
  exit(1);
}

static SSL_CTX *create_context(void) {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) ||
      !SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256")) fail("context");
  // Several records with one read.
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD_BYTES);
  return context;
}

static SSL *open_tls(SSL_CTX *context, const char *address, int port) {
  struct sockaddr_in place = { .sin_family = AF_INET, .sin_port = htons(port) };
  if (inet_pton(AF_INET, address, &place.sin_addr) != 1) fail(address);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&place, sizeof place) < 0) fail("connect");
  SSL *ssl = SSL_new(context);
  if (!ssl || !SSL_set_fd(ssl, fd) || SSL_connect(ssl) != 1) fail("handshake");
  return ssl;
}

static void open_tunnel(SSL *ssl, const char *target) {
  char head[4096];
  int length = snprintf(head, sizeof head, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target);
  if (SSL_write(ssl, head, length) != length) fail("CONNECT");
  length = 0;
  do {
    int more = SSL_read(ssl, head + length, (int)sizeof head - 1 - length);
    if (more <= 0) fail("the proxy closed instead of answering");
    length += more;
    head[length] = 0;
  } while (!strstr(head, "\r\n\r\n"));
  if (strncmp(head, "HTTP/1.1 200", 12) != 0) { fprintf(stderr, "Error: %s", head); exit(1); }
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

// Whether the flow has ended, with all its bytes.
static int drain(struct flow *flow) {
  for (;;) {
    int length = SSL_read(flow->ssl, buffer, sizeof buffer);
    if (length <= 0) {
      if (SSL_get_error(flow->ssl, length) == SSL_ERROR_WANT_READ) return 0;
      fprintf(stderr, "Error: a flow ended %lld bytes early\n", flow->left);
      exit(1);
    }
    flow->left -= length;
    if (flow->left <= 0) return 1;
  }
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  int count = atoi(argv[4]);
  if (count < 1 || count > MAX_FLOWS) return 2;
  long long each = atoll(argv[5]) / count;
  signal(SIGPIPE, SIG_IGN);
  SSL_CTX *context = create_context();
  int poll = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < count; i++) {
    flows[i] = (struct flow){ .ssl = open_tls(context, argv[1], atoi(argv[2])), .left = each };
    if (strcmp(argv[3], "-") != 0) open_tunnel(flows[i].ssl, argv[3]);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = &flows[i] };
    int fd = SSL_get_fd(flows[i].ssl);
    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
  }
  puts("ready");
  fflush(stdout);
  if (read(0, buffer, 16) < 0) fail("standard input");
  double started = now();
  int length = snprintf(buffer, sizeof buffer, "send %lld\n", each);
  for (int i = 0; i < count; i++) {
    if (SSL_write(flows[i].ssl, buffer, length) != length) fail("the request");
    int fd = SSL_get_fd(flows[i].ssl);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) fail("fcntl");
  }
  for (int left = count; left > 0;) {
    struct epoll_event events[MAX_FLOWS];
    int ready = epoll_wait(poll, events, MAX_FLOWS, WAIT_MS);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    if (ready == 0) { fputs("Error: nothing came for 30 s\n", stderr); return 1; }
    for (int i = 0; i < ready; i++) {
      struct flow *flow = events[i].data.ptr;
      if (!drain(flow)) continue;
      epoll_ctl(poll, EPOLL_CTL_DEL, SSL_get_fd(flow->ssl), NULL);
      left--;
    }
  }
  printf("{\"seconds\":%.6f,\"bytes\":%lld}\n", now() - started, each * count);
  return 0;
}
