import { once } from 'node:events'
import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { renderSquid } from '../../src/export/squid.ts'
import { describeMissing } from '../support/debian-parts.ts'
import { type WrittenSources, contoso, exportSources } from '../support/export-sources.ts'
import { type Squid, startSquid } from '../support/squid.ts'

const skip = describeMissing(['squid'])
// An address of loopback that nobody else has at these ports.
const upstream = `127.${100 + process.pid % 100}.${(process.pid >> 8) % 250}.9`
const hosts = {
  'contoso.azurecr.io': upstream,
  'azurecr.io': '20.1.2.3',
  'contoso.eastus.data.azurecr.io': '2603:1030::5',
  'account.blob.core.windows.net': upstream,
  'x.y.blob.core.windows.net': upstream,
  'blob.core.windows.net': upstream,
  'evilblob.core.windows.net': upstream,
  'registry.example': upstream,
  'a.contoso.azurecr.io': upstream,
  'crl.example.com': upstream,
}
const registries = [{ ...contoso, storage: 'any' as const, privateEndpoints: [`${upstream}/32`] }]

/** A server that says hello at a port of the upstream address, in the words of HTTP, and ends. */
async function startHello (t: Test, port: number): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello')
  })
  server.listen(port, upstream)
  await once(server, 'listening')
  t.teardown(() => server.close())
}

async function start (t: Test, written: WrittenSources): Promise<Squid> {
  const render = (port: number) => renderSquid(exportSources({
    clients: ['127.0.0.0/8'], ...written, listen: { address: '127.0.0.1', port },
  }))
  const squid = await startSquid({ render, hosts })
  t.teardown(() => squid.close())
  t.same(squid.complaints, [], 'squid -k parse finds nothing wrong')
  return squid
}

function writeConnect (target: string): string {
  return `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`
}

function writeGet (url: string): string {
  return `GET ${url} HTTP/1.1\r\nHost: ${new URL(url).host}\r\nConnection: close\r\n\r\n`
}

t.test('Squid with the exported configuration lets the names through, and nothing else', { skip }, async (t) => {
  await startHello(t, 443)
  const squid = await start(t, { registries })
  for (const target of ['contoso.azurecr.io:443', 'CONTOSO.azurecr.io:443', 'account.blob.core.windows.net:443']) {
    const { status, body } = await squid.ask(writeConnect(target))
    t.equal(status, 200, target)
    t.match(body, /hello$/, target)
  }
  const refused = [
    'registry.example:443', 'a.contoso.azurecr.io:443', 'x.y.blob.core.windows.net:443', 'blob.core.windows.net:443',
    'evilblob.core.windows.net:443', 'contoso.azurecr.io:80', 'contoso.azurecr.io:8443', `${upstream}:443`,
    '[::1]:443', '[::ffff:20.1.2.3]:443',
  ]
  for (const target of refused) t.equal((await squid.ask(writeConnect(target))).status, 403, target)
  t.equal((await squid.ask(writeGet('http://contoso.azurecr.io/'))).status, 403, 'a plain request')
  t.equal((await squid.ask(writeGet('http://contoso.azurecr.io:443/'))).status, 403, 'a plain request at 443')
})

t.test('a name that leads to a private address is refused, unless a private endpoint is there', { skip }, async (t) => {
  const squid = await start(t, { registries: [contoso] })
  t.equal((await squid.ask(writeConnect('contoso.azurecr.io:443'))).status, 403)
  // These are not special: Squid tries, and cannot from a loopback address.
  t.equal((await squid.ask(writeConnect('azurecr.io:443'))).status, 503, 'a public IPv4 address')
  t.equal((await squid.ask(writeConnect('contoso.eastus.data.azurecr.io:443'))).status, 503, 'a public IPv6 address')
})

t.test('a client from elsewhere is refused', { skip }, async (t) => {
  const squid = await start(t, { registries, clients: ['10.0.0.0/8'] })
  t.equal((await squid.ask(writeConnect('contoso.azurecr.io:443'))).status, 403)
})

t.test('names at port 80 are asked plainly, and get no tunnel', { skip }, async (t) => {
  await startHello(t, 80)
  // Only a registry has private endpoints; for this the name takes its place.
  const sources = exportSources({ registries, plainHosts: ['crl.example.com'], clients: ['127.0.0.0/8'] })
  const squid = await startSquid({ render: (port) => renderSquid({ ...sources, listen: { address: '127.0.0.1', port } }), hosts })
  t.teardown(() => squid.close())
  const { status, body } = await squid.ask(writeGet('http://crl.example.com/a.crl'))
  t.same([status, body], [200, 'hello'])
  t.equal((await squid.ask(writeConnect('crl.example.com:80'))).status, 403)
  t.equal((await squid.ask(writeConnect('crl.example.com:443'))).status, 403)
  t.equal((await squid.ask(writeGet('http://contoso.azurecr.io/'))).status, 403)
})
