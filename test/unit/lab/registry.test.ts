import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { request } from 'node:https'
import { connect } from 'node:net'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { createImage, type Image } from '../../../src/lab/image.ts'
import { startLabRegistry, type LabRegistry, type LabRegistryOptions } from '../../../src/lab/registry.ts'
import { issueAuthority } from '../../../src/tls/certificates.ts'

const loginServer = 'contoso.azurecr.io'
const dataEndpoint = 'contoso.eastus.data.azurecr.io'
const repository = 'samples/noise'
const authority = await issueAuthority({ commonName: 'test authority', validDays: 1, now: new Date() })
const image = await createImage({ layers: [200_000, 5000], seed: 'test' })

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

interface Client {
  login (path: string, headers?: Record<string, string>, method?: string): Promise<Answer>
  data (path: string, headers?: Record<string, string>, method?: string): Promise<Answer>
}

async function start (
  t: Test, options: Partial<LabRegistryOptions> = {},
): Promise<{ registry: LabRegistry, client: Client }> {
  const registry = await startLabRegistry({ loginServer, dataEndpoint, repository, tag: '1.0', image, authority, ...options })
  t.teardown(async () => await registry.close())
  const ask = async (servername: string, port: number, path: string, headers = {}, method = 'GET'): Promise<Answer> => {
    const ca = authority.certificatePem
    const outgoing = request({ host: '127.0.0.1', port, servername, ca, path, method, headers, agent: false }).end()
    const [response] = await once(outgoing, 'response')
    return { status: response.statusCode, headers: response.headers, body: await buffer(response) }
  }
  return {
    registry,
    client: {
      login: async (...rest) => await ask(loginServer, registry.login.port, ...rest),
      data: async (...rest) => await ask(dataEndpoint, registry.data.port, ...rest),
    },
  }
}

async function authorize (client: Client): Promise<Record<string, string>> {
  const { body } = await client.login(`/oauth2/token?service=${loginServer}`)
  const { access_token: token } = JSON.parse(body.toString()) as { access_token: string }
  return { authorization: `Bearer ${token}` }
}

async function followBlob (client: Client, content: Image = image): Promise<string> {
  const { headers } = await client.login(`/v2/${repository}/blobs/${content.layers[0]?.digest}`, await authorize(client))
  const { pathname, search } = new URL(headers.location ?? '')
  return pathname + search
}

t.test('without a token everything is challenged, saying where to get one', async t => {
  const { registry, client } = await start(t)
  for (const path of ['/v2/', `/v2/${repository}/manifests/1.0`, `/v2/${repository}/blobs/${image.config.digest}`]) {
    const { status, headers, body } = await client.login(path)
    t.equal(status, 401, path)
    t.equal(headers['www-authenticate'], 'Bearer realm="https://contoso.azurecr.io/oauth2/token",' +
      'service="contoso.azurecr.io",scope="repository:samples/noise:pull"')
    t.match(JSON.parse(body.toString()), { errors: [{ code: 'UNAUTHORIZED' }] })
  }
  t.equal((await client.login('/v2/', { authorization: 'Bearer forged' })).status, 401)
  t.equal(registry.requests.challenges, 4)
  t.equal((await client.login('/v2/', await authorize(client))).status, 200)
  t.equal(registry.requests.tokens, 1)
})

t.test('the manifest comes by tag and by digest', async t => {
  const { client } = await start(t)
  const headers = await authorize(client)
  for (const reference of ['1.0', image.manifest.digest]) {
    const answer = await client.login(`/v2/${repository}/manifests/${reference}`, headers)
    t.equal(answer.status, 200)
    t.equal(answer.headers['docker-content-digest'], image.manifest.digest)
    t.equal(answer.headers['content-type'], 'application/vnd.oci.image.manifest.v1+json')
    t.ok(answer.body.equals(image.manifest.content))
  }
  const head = await client.login(`/v2/${repository}/manifests/1.0`, headers, 'HEAD')
  t.equal(head.headers['content-length'], String(image.manifest.content.length))
  t.equal(head.body.length, 0)
})

t.test('what is not there is refused in the form of a registry', async t => {
  const { registry, client } = await start(t)
  const headers = await authorize(client)
  const table = [
    [`/v2/${repository}/manifests/2.0`, 404, 'MANIFEST_UNKNOWN'],
    [`/v2/${repository}/blobs/sha256:${'0'.repeat(64)}`, 404, 'BLOB_UNKNOWN'],
    ['/v2/other/manifests/1.0', 404, 'NAME_UNKNOWN'],
    ['/v2/nothing', 404, 'NAME_UNKNOWN'],
    ['/elsewhere', 404, 'NAME_UNKNOWN'],
  ] as const
  for (const [path, status, code] of table) {
    const answer = await client.login(path, headers)
    t.equal(answer.status, status, path)
    t.match(JSON.parse(answer.body.toString()), { errors: [{ code }] })
  }
  const push = await client.login(`/v2/${repository}/manifests/1.0`, headers, 'PUT')
  t.equal(push.status, 405)
  t.equal(push.headers.allow, 'GET, HEAD')
  t.equal(registry.requests.others, 6)
})

t.test('a blob is a redirect to a signed link at the data endpoint, which serves it', async t => {
  const { registry, client } = await start(t)
  const headers = await authorize(client)
  for (const blob of [...image.layers, image.config]) {
    const redirect = await client.login(`/v2/${repository}/blobs/${blob.digest}`, headers)
    t.equal(redirect.status, 307)
    const location = new URL(redirect.headers.location ?? '')
    t.equal(location.host, dataEndpoint)
    t.match(location.pathname, /^\/[0-9a-f]+\/docker\/registry\/v2\/blobs\/sha256\/[0-9a-f]{2}\/[0-9a-f]{64}\/data$/)
    t.ok(location.searchParams.has('se') && location.searchParams.has('sig'))
    const { status, headers: stated, body } = await client.data(location.pathname + location.search)
    t.equal(status, 200)
    t.equal(stated['content-length'], String(blob.size))
    t.equal(stated['accept-ranges'], 'bytes')
    t.equal(`sha256:${createHash('sha256').update(body).digest('hex')}`, blob.digest)
  }
  t.equal(registry.requests.redirects, 3)
  t.equal(registry.requests.blobs, 3)
})

t.test('a part of a blob is served, and a part beyond its end is not', async t => {
  const { client } = await start(t)
  const path = await followBlob(client)
  const whole = (await client.data(path)).body
  const part = await client.data(path, { range: 'bytes=100000-' })
  t.equal(part.status, 206)
  t.equal(part.headers['content-range'], 'bytes 100000-199999/200000')
  t.equal(part.headers['content-length'], '100000')
  t.ok(part.body.equals(whole.subarray(100_000)))
  const beyond = await client.data(path, { range: 'bytes=200000-' })
  t.equal(beyond.status, 416)
  t.equal(beyond.headers['content-range'], 'bytes */200000')
  const head = await client.data(path, {}, 'HEAD')
  t.equal(head.headers['content-length'], '200000')
  t.equal(head.body.length, 0)
})

t.test('a link that is unsigned, changed or twenty minutes old is refused', async t => {
  let now = Date.now()
  const { client } = await start(t, { now: () => now })
  const path = await followBlob(client)
  const other = image.layers[1]?.digest.replace('sha256:', '') ?? ''
  for (const bad of ['/', path.split('?')[0] ?? '', path.replace(/sig=[^&]+/, 'sig=AAAA'), path.replace(/[0-9a-f]{64}/, other)]) {
    t.equal((await client.data(bad)).status, 403, bad)
  }
  now += 20 * 60_000 - 1
  t.equal((await client.data(path)).status, 200)
  now += 1
  t.equal((await client.data(path)).status, 403)
})

t.test('links can name another port', async t => {
  const { client } = await start(t, { dataLocation: { port: 8443 } })
  const { headers } = await client.login(`/v2/${repository}/blobs/${image.config.digest}`, await authorize(client))
  t.match(headers.location, `https://${dataEndpoint}:8443/`)
})

t.test('closing ends connections that never said anything', async t => {
  const registry = await startLabRegistry({ loginServer, dataEndpoint, repository, tag: '1.0', image, authority })
  const socket = connect(registry.login.port, registry.login.address)
  await once(socket, 'connect')
  const closed = once(socket.resume(), 'close')
  await registry.close()
  await closed
  t.pass('closed at once')
})
