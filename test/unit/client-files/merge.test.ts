import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import t from 'tap'
import type { ClientFile, Merging } from '../../../src/client-files/client-setup.ts'
import { mergeFile } from '../../../src/client-files/merge.ts'
import { describeMissing } from '../../support/debian-parts.ts'

const url = 'http://gw.example:443'

function fileOf (merging: Merging, content = 'content\n'): ClientFile {
  return { path: '/etc/x', content, merging, mode: 0o644 }
}

/** The text that it is to have, or the problem in brackets, marked when force would settle it. */
function merge (file: ClientFile, existing: string | undefined, force = false): string {
  const merged = mergeFile(file, existing, force)
  return merged.ok ? merged.text : `(${merged.canForce ? 'force: ' : ''}${merged.problem})`
}

t.test('a file of its own is written when it is not there, and else left alone unless forced', async (t) => {
  const file = fileOf({ kind: 'whole' })
  t.equal(merge(file, undefined), 'content\n')
  t.equal(merge(file, 'content\n'), 'content\n')
  t.match(merge(file, 'other\n'), /^\(force: .*--force/)
  t.equal(merge(file, 'other\n', true), 'content\n')
})

t.test('keys are put into a JSON file, whose other keys and whose indentation stay', async (t) => {
  const file = fileOf({ kind: 'json', value: { proxies: { 'https-proxy': url } } })
  t.equal(merge(file, ''), `{\n  "proxies": {\n    "https-proxy": "${url}"\n  }\n}\n`)
  t.equal(merge(file, '{\n\t"debug": true,\n\t"proxies": {"no-proxy": "x"}\n}'),
    `{\n\t"debug": true,\n\t"proxies": {\n\t\t"no-proxy": "x",\n\t\t"https-proxy": "${url}"\n\t}\n}\n`)
  const there = `{"proxies":{"https-proxy":"${url}"},   "debug":true}`
  t.equal(merge(file, there), there, 'what has it all is left to the letter')
  const other = '{"proxies":{"https-proxy":"http://old:1","no-proxy":"x"}}'
  t.match(merge(file, other), /^\(force: has proxies\.https-proxy with another value/)
  t.same(JSON.parse(merge(file, other, true)), { proxies: { 'https-proxy': url, 'no-proxy': 'x' } })
  t.match(merge(file, '{"proxies":"off"}'), /^\(force: has proxies with another value/)
})

t.test('a JSON file that cannot be kept whole is refused, also when forced', async (t) => {
  const file = fileOf({ kind: 'json', value: { proxies: { 'https-proxy': url } } })
  for (const text of ['{', '[]', 'null', '{"a": 1,}', '// x\n{}']) t.match(merge(file, text, true), /^\(is not a JSON object/, text)
  t.match(merge(file, '{"shm": 12345678901234567890}', true), /^\(has numbers too long/)
  t.equal(JSON.parse(merge(file, '{"label": "12345678901234567890"}')).label, '12345678901234567890')
})

t.test('variables are put behind what a file has, and never beside another value', async (t) => {
  const file = fileOf({ kind: 'environment', entries: [{ key: 'HTTPS_PROXY', value: url }, { key: 'https_proxy', value: url }] })
  t.equal(merge(file, 'LANG=C\n'), `LANG=C\nHTTPS_PROXY=${url}\nhttps_proxy=${url}\n`)
  t.equal(merge(file, 'LANG=C'), `LANG=C\nHTTPS_PROXY=${url}\nhttps_proxy=${url}\n`)
  const there = `export HTTPS_PROXY="${url}"\nhttps_proxy=${url}`
  t.equal(merge(file, there), there)
  t.match(merge(file, 'HTTPS_PROXY=http://old:1\n'), /^\(force: has HTTPS_PROXY with another value/)
  t.equal(merge(file, 'HTTPS_PROXY=http://old:1\nLANG=C\n', true), `HTTPS_PROXY=${url}\nLANG=C\nhttps_proxy=${url}\n`)
  t.equal(merge(file, '#HTTPS_PROXY=http://old:1\n'), `#HTTPS_PROXY=http://old:1\nHTTPS_PROXY=${url}\nhttps_proxy=${url}\n`)
})

const agent = fileOf({
  kind: 'toml',
  table: 'agent.env',
  entries: [{ key: 'https_proxy', value: url }, { key: 'UpstreamProtocol', value: 'AmqpWs', others: ['MqttWs'] }],
})

t.test('entries are put into a table of TOML, right behind its header', async (t) => {
  const lines = `"https_proxy" = "${url}"\n"UpstreamProtocol" = "AmqpWs"\n`
  t.equal(merge(agent, '[agent]\nname = "x"\n[agent.env]\n[watchdog]\n'), `[agent]\nname = "x"\n[agent.env]\n${lines}[watchdog]\n`)
  t.equal(merge(agent, '[agent.env] # here\n# "UpstreamProtocol" = "Amqp"\n'), `[agent.env] # here\n${lines}# "UpstreamProtocol" = "Amqp"\n`)
  t.equal(merge(agent, '[agent.env]'), `[agent.env]\n${lines.trimEnd()}`)
  t.equal(merge(agent, '[agent.env]\r\na = "b"\r\n'), `[agent.env]\r\n${lines.replaceAll('\n', '\r\n')}a = "b"\r\n`)
  const there = `[ "agent" . env ]\nhttps_proxy = '${url}' # ours\nUpstreamProtocol = "MqttWs"\n`
  t.equal(merge(agent, there), there, 'what has it all is left to the letter')
})

t.test('a value that says otherwise is left alone unless forced', async (t) => {
  const there = '[agent.env]\nUpstreamProtocol = "Amqp"\n[other]\nhttps_proxy = "x"\n'
  t.match(merge(agent, there), /^\(force: has UpstreamProtocol with another value on line 2/)
  t.equal(merge(agent, there, true), `[agent.env]\n"https_proxy" = "${url}"\n"UpstreamProtocol" = "AmqpWs"\n[other]\nhttps_proxy = "x"\n`)
})

t.test('TOML that its lines alone do not explain is left to a person, also when forced', async (t) => {
  t.match(merge(agent, undefined, true), /^\(does not exist/)
  t.match(merge(agent, '[agent]\nname = "x"\n', true), /^\(has no section \[agent\.env\]; take the comment signs away/)
  t.match(merge(agent, '# [agent.env]\n', true), /^\(has no section/)
  t.match(merge(agent, 'x = """\n[agent.env]\n"""\n', true), /^\(has strings over several lines/)
  t.match(merge(agent, '[agent.env]\n[agent.env]\n', true), /^\(has \[agent\.env\] twice, on lines 1 and 2/)
})

const readToml = 'import json, sys, tomllib\nprint(json.dumps([tomllib.loads(text) for text in json.load(sys.stdin)]))'

t.test('a real parser of TOML finds the entries, and all that was there before', { skip: describeMissing(['python3']) }, async (t) => {
  const line = fc.constantFrom('a = 1', '"b" = "x # y"', '# c = 1', '', '  d = [1, 2]', 'e.f = { g = "[agent.env]" }')
  const part = fc.uniqueArray(line)
  const files = fc.sample(fc.tuple(part, part, part), { numRuns: 60, seed: 7 })
    .map(([before, within, behind]) => [...before, '[agent.env]', ...within, '[[behind]]', ...behind].join('\n'))
  const input = JSON.stringify(files.flatMap((text) => [text, merge(agent, text)]))
  const parsed = spawnSync('python3', ['-c', readToml], { input, encoding: 'utf8' })
  t.equal(parsed.status, 0, parsed.stderr)
  const values = JSON.parse(parsed.stdout) as Array<{ agent: { env: object } }>
  for (let index = 0; index < values.length; index += 2) {
    const expected = values[index]
    if (expected !== undefined) Object.assign(expected.agent.env, { https_proxy: url, UpstreamProtocol: 'AmqpWs' })
    t.same(values[index + 1], expected, files[index / 2] ?? '')
  }
  t.equal(values.length, 120)
})
