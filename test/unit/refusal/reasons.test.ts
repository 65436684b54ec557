import { readFileSync } from 'node:fs'
import { STATUS_CODES } from 'node:http'
import t from 'tap'
import { deny, reasonWords, reasons, refuse } from '../../../src/refusal/reasons.ts'

/** RFC 9209 §2.3.1 to §2.3.32. */
const proxyErrorTypes = [
  'dns_timeout', 'dns_error', 'destination_not_found', 'destination_unavailable', 'destination_ip_prohibited',
  'destination_ip_unroutable', 'connection_refused', 'connection_terminated', 'connection_timeout',
  'connection_read_timeout', 'connection_write_timeout', 'connection_limit_reached', 'tls_protocol_error',
  'tls_certificate_error', 'tls_alert_received', 'http_request_error', 'http_request_denied',
  'http_response_incomplete', 'http_response_header_section_size', 'http_response_header_size',
  'http_response_body_size', 'http_response_trailer_section_size', 'http_response_trailer_size',
  'http_response_transfer_coding', 'http_response_content_coding', 'http_response_timeout', 'http_upgrade_failed',
  'http_protocol_error', 'proxy_internal_response', 'proxy_internal_error', 'proxy_configuration_error',
  'proxy_loop_detected',
]

t.test('the reasons are words that fit a status line, a metric label and a heading', async (t) => {
  t.equal(reasonWords.length, 39)
  for (const reason of reasonWords) t.match(reason, /^[a-z]+(?:_[a-z]+)*$/)
})

t.test('each reason has a registered status for a request that failed', async (t) => {
  for (const reason of reasonWords) {
    const { status } = reasons[reason]
    t.ok(status >= 400 && status <= 599 && STATUS_CODES[status] !== undefined, `${reason}: ${status}`)
  }
})

t.test('each reason has an error type of RFC 9209', async (t) => {
  t.equal(proxyErrorTypes.length, 32)
  for (const reason of reasonWords) t.ok(proxyErrorTypes.includes(reasons[reason].proxyStatusError), reason)
})

t.test('what the client asked wrongly is a 4xx, what the gateway or the upstream lacks a 5xx', async (t) => {
  for (const reason of reasonWords) {
    const isOurs = /^(?:dns_|connect_|parent_|answer_|loop_detected|tunnel_limit|shutting_down|internal)/.test(reason)
    t.equal(reasons[reason].status >= 500, isOurs, reason)
  }
})

t.test('docs/refusals.md has a section for each reason, in the order of the table, and no other', async (t) => {
  const page = readFileSync(new URL('../../../docs/refusals.md', import.meta.url), 'utf8')
  const headings = [...page.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)
  t.same(headings, reasonWords)
})

/** What comes to light behind the 200. */
const toldByAlert = new Set(['not_tls', 'server_name_mismatch', 'hello_timeout'])

t.test('the page tells each reason\'s status, and what to do on either side', async (t) => {
  const page = readFileSync(new URL('../../../docs/refusals.md', import.meta.url), 'utf8')
  const sections = page.split(/^## /m).slice(1)
  t.equal(sections.length, reasonWords.length)
  for (const section of sections) {
    const word = section.slice(0, section.indexOf('\n'))
    const { status } = Object.entries(reasons).find(([reason]) => reason === word)?.[1] ?? { status: 0 }
    const beginning = toldByAlert.has(word) ? 'A TLS alert, ' : `Status ${status}. `
    t.ok(section.startsWith(`${word}\n\n${beginning}`), `${word} begins with its status`)
    for (const part of ['- **At the device:** ', '- **Operator:** ', '- **Configuration:** ']) {
      t.ok(section.includes(part), `${word} has ${part}`)
    }
  }
})

t.test('a refusal is its three parts, and a denial holds it', async (t) => {
  const refusal = refuse('dns_failed', 'there is no such name', 'Check the name.')
  t.same(refusal, { reason: 'dns_failed', detail: 'there is no such name', hint: 'Check the name.' })
  t.same(deny(refusal), { allow: false, refusal })
})
