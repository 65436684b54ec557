/* global AbortSignal, document, fetch, performance, window */

// The live status page. It reads /api/status and /api/tunnels every two seconds while somebody looks, and writes what
// it hears as text: nothing from the gateway is ever taken for markup.

const pollMs = 2000
const answerTimeoutMs = 8000
const maxRows = 200
const unknown = '–'

const byId = (id) => document.getElementById(id)

// ---- Building the page

/** An element with attributes and children; text is only ever text. */
function build (tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

/** Writes only what differs, so that a selection stays and a screen reader is not told the same thing again. */
function write (element, text) {
  if (element.textContent !== text) element.textContent = text
}

const shown = new Map()

/** Rebuilds the children of an element when the value they are made from has changed. */
function show (id, value, buildChildren) {
  const fingerprint = JSON.stringify(value)
  if (shown.get(id) === fingerprint) return
  shown.set(id, fingerprint)
  byId(id).replaceChildren(...buildChildren(value))
}

function buildFacts (facts) {
  return facts.flatMap(([name, value]) => [build('dt', {}, name), build('dd', {}, value)])
}

// ---- Words for numbers

const count = new Intl.NumberFormat('en')

function plural (number, one, many = `${one}s`) {
  return `${count.format(number)} ${number === 1 ? one : many}`
}

/** Decimal units, as docker prints them. */
function formatBytes (bytes) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let power = 0
  while (bytes >= 999.5 && power < units.length - 1) {
    bytes /= 1000
    power++
  }
  return `${power === 0 || bytes >= 100 ? Math.round(bytes) : bytes.toPrecision(2 + (bytes >= 10))} ${units[power]}`
}

function formatSpeed (bytesPerSecond) {
  return bytesPerSecond === undefined ? unknown : `${formatBytes(bytesPerSecond)}/s`
}

/** The two largest units: "3 h 12 min". */
function formatAge (seconds) {
  const units = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]]
  const first = Math.max(0, units.findIndex(([, size]) => seconds >= size))
  if (seconds < 60) return `${Math.floor(seconds)} s`
  let rest = seconds
  return units.slice(first, first + 2).map(([unit, size]) => {
    const amount = Math.floor(rest / size)
    rest -= amount * size
    return `${amount} ${unit}`
  }).join(' ')
}

/** Leaves out the port that nearly every target has. */
function formatTarget (target) {
  return target.replace(/:443$/, '')
}

function formatTime (iso) {
  const time = new Date(iso)
  const isToday = time.toDateString() === new Date().toDateString()
  return isToday ? time.toLocaleTimeString() : time.toLocaleString()
}

// ---- Speeds, from the difference between two answers

const speeds = new Map()

/** Bytes a second since the last call for `key`; undefined the first time. */
function measureSpeed (key, bytes, now) {
  const last = speeds.get(key)
  speeds.set(key, { bytes, now })
  if (last === undefined || now <= last.now) return undefined
  return Math.max(0, bytes - last.bytes) * 1000 / (now - last.now)
}

// ---- The state at the top

function describeState ({ state, readiness, tunnels, allowed, listeners }) {
  const where = listeners.map(({ address }) => address).join(', ')
  if (state === 'starting') return ['starting', 'Starting', 'It does not take clients yet.']
  if (state === 'draining') {
    return ['draining', 'Draining', `It takes no new tunnels; ${plural(tunnels.active, 'open tunnel')} may still end.`]
  }
  if (!readiness.ready) return ['not-ready', 'Not ready', 'Send no clients here until this is mended.']
  return ['serving', 'Serving', `${plural(allowed.length, 'name')} let through, nothing else, on ${where}.`]
}

function showState (name, title, text) {
  byId('state').dataset.state = name
  write(byId('state-name'), title)
  write(byId('state-text'), text)
  document.title = `${title} · acr-egress`
}

function showStatus (status, now) {
  document.body.classList.remove('stale')
  showState(...describeState(status))
  write(byId('uptime'), `up ${formatAge(status.uptimeSeconds)}`)
  write(byId('version'), status.version)
  const failing = status.readiness.checks.filter(({ ok }) => !ok)
  byId('failing').hidden = failing.length === 0
  show('failing', failing, (checks) => checks.map(({ name, detail }) => (
    build('li', {}, build('strong', {}, name), ` ${detail}`)
  )))
  showTotals(status, now)
  show('allowed', status.allowed, buildAllowed)
  show('refusals', status.refusals, buildRefusals)
  show('gateway', listGatewayFacts(status), buildFacts)
}

function showTotals ({ tunnels, bytes, refusals }, now) {
  write(byId('active'), count.format(tunnels.active))
  write(byId('total'), `${count.format(tunnels.total)} since the start`)
  write(byId('down'), formatSpeed(measureSpeed('down', bytes.fromUpstream, now)))
  write(byId('down-total'), `${formatBytes(bytes.fromUpstream)} in all`)
  write(byId('up'), formatSpeed(measureSpeed('up', bytes.fromClient, now)))
  write(byId('up-total'), `${formatBytes(bytes.fromClient)} in all`)
  write(byId('refused'), count.format(refusals.total))
  const last = refusals.recent[0]
  write(byId('refused-last'), last === undefined ? 'none since the start' : `last at ${formatTime(last.time)}`)
}

function describeUpstream ({ via, parent, resolver }) {
  if (via === 'direct') return 'directly, to addresses that were checked'
  return `through ${parent}, ${resolver === 'parent' ? 'which resolves: no address is checked' : 'to addresses that were checked'}`
}

function listGatewayFacts ({ listeners, relayEngine, dns, upstream, readiness, startedAt }) {
  return [
    ...listeners.map(({ address, tls }) => ['Listens on', `${address}, ${tls ? 'clear text and TLS' : 'clear text'}`]),
    ['Goes out', describeUpstream(upstream)],
    ['Started', new Date(startedAt).toLocaleString()],
    ['Relay', relayEngine],
    ['Name servers', dns.servers.join(', ') || 'none'],
    ['Names cached', count.format(dns.cacheEntries)],
    ...readiness.checks.map(({ name, ok, detail }) => [`Check: ${name}`, `${ok ? '✓' : '✗'} ${detail}`]),
  ]
}

// ---- What is let through

function buildAllowed (allowed) {
  if (allowed.length === 0) {
    return [build('p', { class: 'empty' }, 'Nothing is let through. Name a registry in the configuration.')]
  }
  const registries = new Map()
  for (const endpoint of allowed) {
    registries.set(endpoint.registry, [...registries.get(endpoint.registry) ?? [], endpoint])
  }
  return [...registries].map(([registry, endpoints]) => build('div', { class: 'registry' },
    build('h3', {}, registry || 'Of no single registry'),
    build('ul', {}, ...endpoints.map(({ host, class: kind, region }) => build('li', {},
      build('span', { class: 'host' }, host),
      build('span', { class: 'chips' }, ...buildChips(region, kind)),
    ))),
  ))
}

function buildChips (...words) {
  return words.filter((word) => word !== '').flatMap((word) => [build('span', { class: 'chip' }, word), ' '])
}

// ---- What was refused

function buildRefusals ({ byReason, recent }) {
  if (byReason.length === 0) {
    const text = 'Nothing was refused since the start. When a client asks for something that is not let through, ' +
      'you see here what it was and what to do.'
    return [build('p', { class: 'empty' }, text)]
  }
  return [
    build('ul', { class: 'reasons', 'aria-label': 'By reason' }, ...buildReasons(byReason)),
    build('ol', { class: 'recent', 'aria-label': 'Last refusals' }, ...recent.map(buildRefusal)),
  ]
}

function buildReasons (byReason) {
  const most = Math.max(...byReason.map((entry) => entry.count))
  const sorted = [...byReason].sort((a, b) => b.count - a.count)
  return sorted.map((entry) => {
    const bar = build('span', { class: 'bar', 'aria-hidden': 'true' })
    bar.style.width = `${Math.max(2, 100 * entry.count / most)}%`
    return build('li', {},
      build('span', { class: 'host' }, entry.reason), bar, build('span', { class: 'number' }, count.format(entry.count)))
  })
}

function buildRefusal ({ time, reason, target, detail, hint }) {
  return build('li', {},
    build('div', { class: 'head' },
      build('span', { class: 'host reason' }, reason),
      build('time', { datetime: time }, formatTime(time))),
    build('p', { class: 'host' }, formatTarget(target)),
    build('p', {}, detail),
    build('p', { class: 'quiet' }, hint))
}

// ---- Tunnels

const rows = new Map()

function showTunnels ({ total, tunnels }, now) {
  byId('tunnels').hidden = total === 0
  byId('tunnels-empty').hidden = total !== 0
  write(byId('tunnels-empty'), 'No tunnel is open. A pull through this gateway shows up here while it runs.')
  byId('tunnels-more').hidden = total <= tunnels.length
  write(byId('tunnels-more'), `The newest ${tunnels.length} of ${count.format(total)}; all are at /api/tunnels.`)
  const open = new Set(tunnels.map(({ id }) => id))
  for (const [id, row] of rows) {
    if (!open.has(id)) forgetTunnel(id, row)
  }
  const body = byId('tunnels').tBodies[0]
  for (const tunnel of tunnels) {
    if (!rows.has(tunnel.id)) {
      rows.set(tunnel.id, buildRow(tunnel))
      body.prepend(rows.get(tunnel.id))
    }
    fillRow(rows.get(tunnel.id), tunnel, now)
  }
}

function forgetTunnel (id, row) {
  row.remove()
  rows.delete(id)
  speeds.delete(`${id} down`)
  speeds.delete(`${id} up`)
}

function buildRow ({ target, class: kind, region, client, address, parent }) {
  const cell = (label, ...children) => build('td', { role: 'cell', 'data-label': label }, ...children)
  const number = (label) => {
    const element = cell(label, build('span'), build('small'))
    element.className = 'number'
    return element
  }
  return build('tr', { role: 'row' },
    cell('Target', build('span', { class: 'host' }, formatTarget(target)), ' ', ...buildChips(kind, region),
      build('small', {}, [...address === '' ? [] : [`at ${address}`], ...parent === '' ? [] : [`through ${parent}`]].join(', '))),
    cell('Client', build('span', { class: 'host' }, client)),
    number('From registry'), number('From client'), number('Age'))
}

function fillRow (row, { id, bytesFromUpstream, bytesFromClient, ageSeconds, idleSeconds }, now) {
  const [, , down, up, age] = row.cells
  fillNumber(down, formatSpeed(measureSpeed(`${id} down`, bytesFromUpstream, now)), formatBytes(bytesFromUpstream))
  fillNumber(up, formatSpeed(measureSpeed(`${id} up`, bytesFromClient, now)), formatBytes(bytesFromClient))
  fillNumber(age, formatAge(ageSeconds), idleSeconds < 5 ? 'busy' : `idle ${formatAge(idleSeconds)}`)
}

function fillNumber (cell, large, small) {
  write(cell.children[0], large)
  write(cell.children[1], small)
}

// ---- Explain

byId('explain').addEventListener('submit', async (event) => {
  event.preventDefault()
  const target = byId('target').value.trim()
  if (target === '') return
  try {
    const answer = await read(`/api/explain?target=${encodeURIComponent(target)}`)
    byId('explanation').replaceChildren(...buildExplanation(target, answer))
  } catch {
    byId('explanation').replaceChildren(build('p', { class: 'verdict' }, 'The gateway did not answer. Try again.'))
  }
})

function buildExplanation (target, answer) {
  const { allow, allowed = allow, decision = allowed, detail, ...rest } = answer
  const isAllowed = decision === true || decision === 'allow' || decision === 'allowed'
  return [
    build('p', { class: 'verdict', 'data-allowed': isAllowed },
      `${target} ${isAllowed ? 'is let through.' : 'is refused.'}`),
    ...typeof detail === 'string' ? [build('p', {}, detail)] : [],
    build('dl', { class: 'facts' }, ...buildFacts(
      Object.entries(rest)
        .filter(([name, value]) => name !== 'target' && describeValue(value) !== '')
        .map(([name, value]) => [name, describeValue(value)]))),
  ]
}

/** A JSON value in a line for a person: of an object its values, and of its flags their names. */
function describeValue (value) {
  if (value === null || value === undefined) return ''
  if (Array.isArray(value)) return value.map(describeValue).join('; ')
  if (typeof value !== 'object') return String(value)
  return Object.entries(value)
    .map(([name, part]) => typeof part === 'boolean' ? `${part ? '' : 'not '}${name}` : describeValue(part))
    .filter((text) => text !== '')
    .join(', ')
}

// ---- Asking the gateway

async function read (url) {
  const response = await fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(answerTimeoutMs) })
  if (!response.ok) throw new Error(`${url} was answered with ${response.status}`)
  return response.json()
}

let lastHeard
let timer
let isAsking = false

async function poll () {
  window.clearTimeout(timer)
  if (isAsking || document.hidden) return
  isAsking = true
  try {
    const [status, tunnels] = await Promise.all([read('/api/status'), read(`/api/tunnels?limit=${maxRows}`)])
    const now = performance.now()
    lastHeard = new Date()
    showStatus(status, now)
    showTunnels(tunnels, now)
  } catch {
    showLost()
  } finally {
    isAsking = false
    timer = window.setTimeout(poll, pollMs)
  }
}

function showLost () {
  document.body.classList.add('stale')
  const since = lastHeard === undefined ? 'The gateway does not answer.' : `Last heard at ${lastHeard.toLocaleTimeString()}.`
  showState('lost', 'Connection lost', `${since} Trying again every two seconds.`)
}

document.addEventListener('visibilitychange', poll)
poll()
