import t, { type Test } from 'tap'
import { createTableAnswers, startNameServer } from '../../src/lab/name-server.ts'
import { canonicalHostName } from '../../src/net/host-name.ts'
import { reasons } from '../../src/refusal/reasons.ts'
import { parseAnswer, writeConnect } from '../support/answer.ts'
import { type TestGateway, startGateway } from '../support/gateway.ts'
import { hostileRequests, hostileTargets } from '../support/hostile-requests.ts'
import { connectRaw } from '../support/raw-client.ts'
import { startEchoUpstream } from '../support/upstream.ts'

// What the refusal of a malformed target gives as an example of a good one.
const example = 'contoso.azurecr.io:443'

// Every name leads to a listener that counts: whatever is let through by mistake does connect.
const upstream = await startEchoUpstream(t)
const asked = hostileTargets.map(([target]) => canonicalHostName(target.replace(/:[0-9]*$/, '')))
const allowed = ['contoso.azurecr.io', 'northwind.azurecr.us', 'contoso.eastus.data.azurecr.io', 'account.blob.core.windows.net']
const hosts = Object.fromEntries([...asked, ...allowed].map((name) => [name, [`127.0.0.1:${upstream.port}`]]))
delete hosts.undefined
const nameServer = await startNameServer({ answers: createTableAnswers({}) })
t.teardown(() => nameServer.close())
const gateway = await startGateway(t, `
registries:
  - loginServer: contoso.azurecr.io
    regions: [eastus]
    storage: any
    privateEndpoints: [127.0.0.0/8]
  - loginServer: northwind.azurecr.us
    regions: [usgovvirginia]
    privateEndpoints: [127.0.0.0/8]
dns:
  servers: ['127.0.0.1:${nameServer.port}']
  hosts: ${JSON.stringify(hosts)}
tunnel: { serverName: off }
`)

t.test('a hostile target is refused for its reason', async (t) => {
  for (const [target, expected] of hostileTargets) {
    const name = JSON.stringify(target.length > 80 ? `${target.slice(0, 80)}…` : target)
    await t.test(name, async (t) => {
      const { statusLine } = await refuse(t, gateway, writeConnect(target), expected)
      const host = target.replace(/:[^:]*$/, '')
      const isEchoed = host.length > 3 && canonicalHostName(host) !== host && statusLine.replace(example, '').includes(host)
      t.notOk(isEchoed, 'the status line has nothing of the target but a canonical name')
    })
  }
})

t.test('a hostile request is refused for its reason, whatever its target', async (t) => {
  for (const [what, request, expected] of hostileRequests) {
    await t.test(what, async (t) => {
      if (expected === 'closed') await close(t, gateway, request)
      else await refuse(t, gateway, request, expected)
    })
  }
})

t.test('none of it led to a question, an attempt to connect or a tunnel', async (t) => {
  await gateway.settle()
  t.equal(upstream.connections, 0)
  // The gateway itself asks for the names of its configuration.
  const own = ['azurecr.io', 'azurecr.us', 'contoso.azurecr.io', 'contoso.eastus.data.azurecr.io', 'northwind.azurecr.us', 'northwind.usgovvirginia.data.azurecr.us']
  t.same(nameServer.questions.filter(({ name }) => !own.includes(name)), [])
  t.equal(await gateway.readMetric('acr_egress_connect_attempts_total'), 0)
  t.equal(await gateway.readMetric('acr_egress_tunnels_total'), 0)
  t.equal(await gateway.readMetric('acr_egress_refusals_total', { reason: 'internal' }), 0)
  const refusals = [...hostileTargets, ...hostileRequests].filter((row) => row.at(-1) !== 'closed')
  t.ok(refusals.length >= 150)
  t.equal(await gateway.readMetric('acr_egress_refusals_total'), refusals.length, 'each refusal is counted once')
})

t.test('what is accepted on purpose', async (t) => {
  const accepted: ReadonlyArray<readonly [what: string, request: string]> = [
    ['the name as it stands', writeConnect('contoso.azurecr.io:443')],
    ['capital letters', writeConnect('CONTOSO.AzureCR.IO:443')],
    ['one dot behind the name', writeConnect('contoso.azurecr.io.:443')],
    ['both, for a wildcard', writeConnect('Account.Blob.Core.Windows.Net.:443')],
    ['a data endpoint', writeConnect('contoso.eastus.data.azurecr.io:443')],
    // Python's http.client before 3.12 and `openssl s_client -proxy` speak it.
    ['HTTP/1.0', 'CONNECT contoso.azurecr.io:443 HTTP/1.0\r\n\r\n'],
    // The target is the only thing that counts (RFC 9112 §3.2.3), so its absence leaves nothing open.
    ['no Host', 'CONNECT contoso.azurecr.io:443 HTTP/1.1\r\n\r\n'],
    ['a Host that says something else', 'CONNECT contoso.azurecr.io:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n'],
    ['a Content-Length of nothing', 'CONNECT contoso.azurecr.io:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n'],
    // RFC 9112 §2.2: a server should ignore at least one empty line before the request line.
    ['an empty line in front', `\r\n${writeConnect('contoso.azurecr.io:443')}`],
    ['bytes beyond ASCII in the value of a header', 'CONNECT contoso.azurecr.io:443 HTTP/1.1\r\nHost: a\r\nX: \xf6\r\n\r\n'],
  ]
  for (const [what, request] of accepted) {
    await t.test(what, async (t) => {
      const before = gateway.tunnelLines.length
      const client = await connectRaw(t, gateway.proxy)
      client.send(request)
      t.equal(await client.receiveHead(), 'HTTP/1.1 200 Connection established\r\n\r\n')
      client.send('ping')
      t.equal((await client.receive(4)).toString(), 'ping')
      client.socket.end()
      await client.ended
      t.match(await gateway.tunnelLine(before), { event: 'tunnel_ended', end: 'closed', registry: 'contoso.azurecr.io' })
    })
  }
})

/** Sends a request that must be refused, and looks at all that can be seen of the refusal. */
async function refuse (t: Test, gateway: TestGateway, request: string, expected: keyof typeof reasons) {
  const linesBefore = gateway.tunnelLines.length
  const client = await connectRaw(t, gateway.proxy)
  client.send(request)
  const { bytes } = await client.ended
  const answer = parseAnswer(bytes)
  t.equal(`${answer.status} ${answer.reason}`, `${reasons[expected].status} ${expected}`)
  t.match(bytes.toString('latin1'), /^(?:[\x20-\x7e]|\r\n)*\n$/, 'printable ASCII')
  t.ok(answer.statusLine.length < 200, 'a short status line')
  t.equal(bytes.toString('latin1').match(/^HTTP\/1/gm)?.length, 1, 'one answer')
  t.match(JSON.parse(answer.body), { reason: expected, status: reasons[expected].status })
  t.notMatch(answer.body, /\bat .*\.[jt]s\b/, 'no stack trace')
  t.equal(gateway.tunnelLines.length, linesBefore + 1, 'one line of log')
  t.match(gateway.tunnelLines.at(-1), { event: 'tunnel_refused', reason: expected })
  return answer
}

async function close (t: Test, gateway: TestGateway, request: string): Promise<void> {
  const linesBefore = gateway.tunnelLines.length
  const client = await connectRaw(t, gateway.proxy)
  client.send(request)
  client.socket.end()
  t.equal((await client.ended).bytes.length, 0)
  t.equal(gateway.tunnelLines.length, linesBefore, 'nothing is logged')
}
