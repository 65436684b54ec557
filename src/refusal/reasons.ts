/**
 * How a reason is said to HTTP: the status code, and the error type of `Proxy-Status` (RFC 9209 §2.3). Behind the 200,
 * and to clients that send no CONNECT, it is said by a TLS alert (proxy/alert.ts).
 */
export interface ReasonSemantics {
  readonly status: number
  readonly proxyStatusError: string
}

/**
 * Every reason for which a tunnel is refused: the closed list. The same word stands in the status line, the problem
 * document, the log, the metric label, `explain`, and as a heading in docs/refusals.md.
 */
export const reasons = {
  bad_request: { status: 400, proxyStatusError: 'http_request_error' },
  head_timeout: { status: 408, proxyStatusError: 'http_request_error' },
  head_too_large: { status: 431, proxyStatusError: 'http_request_error' },
  content_too_large: { status: 413, proxyStatusError: 'http_request_error' },
  method_not_allowed: { status: 405, proxyStatusError: 'http_request_denied' },
  client_certificate_refused: { status: 403, proxyStatusError: 'http_request_denied' },
  client_not_allowed: { status: 403, proxyStatusError: 'http_request_denied' },
  proxy_auth_required: { status: 407, proxyStatusError: 'http_request_denied' },
  proxy_auth_failed: { status: 407, proxyStatusError: 'http_request_denied' },
  proxy_auth_limited: { status: 429, proxyStatusError: 'http_request_denied' },
  host_not_allowed: { status: 403, proxyStatusError: 'http_request_denied' },
  port_not_allowed: { status: 403, proxyStatusError: 'http_request_denied' },
  ip_literal_not_allowed: { status: 403, proxyStatusError: 'http_request_denied' },
  storage_not_enabled: { status: 403, proxyStatusError: 'http_request_denied' },
  region_not_configured: { status: 403, proxyStatusError: 'http_request_denied' },
  regional_not_enabled: { status: 403, proxyStatusError: 'http_request_denied' },
  address_prohibited: { status: 403, proxyStatusError: 'destination_ip_prohibited' },
  address_outside_service_tags: { status: 403, proxyStatusError: 'destination_ip_prohibited' },
  dns_failed: { status: 502, proxyStatusError: 'dns_error' },
  dns_timeout: { status: 504, proxyStatusError: 'dns_timeout' },
  connect_refused: { status: 502, proxyStatusError: 'connection_refused' },
  connect_unreachable: { status: 502, proxyStatusError: 'destination_ip_unroutable' },
  connect_timeout: { status: 504, proxyStatusError: 'connection_timeout' },
  parent_unreachable: { status: 502, proxyStatusError: 'destination_unavailable' },
  parent_failed: { status: 502, proxyStatusError: 'http_protocol_error' },
  parent_refused: { status: 502, proxyStatusError: 'http_request_denied' },
  parent_timeout: { status: 504, proxyStatusError: 'http_response_timeout' },
  answer_failed: { status: 502, proxyStatusError: 'http_response_incomplete' },
  answer_too_large: { status: 502, proxyStatusError: 'http_response_body_size' },
  answer_timeout: { status: 504, proxyStatusError: 'http_response_timeout' },
  not_tls: { status: 403, proxyStatusError: 'http_request_denied' },
  server_name_mismatch: { status: 403, proxyStatusError: 'http_request_denied' },
  hello_timeout: { status: 408, proxyStatusError: 'http_request_error' },
  loop_detected: { status: 508, proxyStatusError: 'proxy_loop_detected' },
  tunnel_limit: { status: 503, proxyStatusError: 'connection_limit_reached' },
  client_tunnel_limit: { status: 429, proxyStatusError: 'connection_limit_reached' },
  client_setup_rate: { status: 429, proxyStatusError: 'http_request_denied' },
  shutting_down: { status: 503, proxyStatusError: 'proxy_internal_response' },
  internal: { status: 500, proxyStatusError: 'proxy_internal_error' },
} as const satisfies Record<string, ReasonSemantics>

/** One word of the closed list. */
export type Reason = keyof typeof reasons

/** The words, in the order of the list. */
export const reasonWords = Object.keys(reasons) as readonly Reason[]

/** What a refused client is told. Both texts are printable ASCII; of the request they hold a canonical name at most. */
export interface Refusal {
  readonly reason: Reason
  /** What is the matter, in half a sentence; goes into the status line behind the reason. */
  readonly detail: string
  /** What to do next, and who can do it. */
  readonly hint: string
  /** When it is of use to ask again, as `Retry-After` says it (RFC 9110 section 10.2.3), where that is known. */
  readonly retryAfterSeconds?: number
}

/** A refusal from its three parts, in the order a person reads them. */
export function refuse (reason: Reason, detail: string, hint: string): Refusal {
  return { reason, detail, hint }
}

/** A decision that says no. Decisions that say yes have `allow: true` and what they grant. */
export interface Denied {
  readonly allow: false
  readonly refusal: Refusal
}

/** The decision that denies for a refusal. */
export function deny (refusal: Refusal): Denied {
  return { allow: false, refusal }
}
