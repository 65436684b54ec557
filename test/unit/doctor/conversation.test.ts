import t from 'tap'
import { createErrorReply, createReply } from '../../../src/lab/http-reply.ts'
import { labNames } from '../../../src/lab/lab.ts'
import type { Fault } from '../../../src/lab/registry.ts'
import { type ExpectedFailure, expectNoSecrets, expectOneFailure, image, smallImage, startWorld } from '../../support/doctor-world.ts'
import { cutLayers, demandPassword, replaceAnswers, replaceContent, replaceHeaders } from '../../support/registry-fault.ts'

const { loginServer, dataEndpoint, repository, tag } = labNames

/** One fault, and the one line that it is to be. */
const faults: ReadonlyArray<ExpectedFailure & {
  readonly what: string
  readonly fault: Fault
  /** For what never comes; else no test is to fail because the machine is slow. */
  readonly stepTimeoutMs?: number
}> = [
  {
    what: 'a realm on another host',
    fault: replaceHeaders('challenges', { 'www-authenticate': 'Bearer realm="https://evil.example/oauth2/token",service="x"' }),
    step: 'challenge',
    found: /^GET \/v2\/ sends for a token to https:\/\/evil\.example, which is not https:\/\/contoso\.azurecr\.io$/,
    toDo: /^Give it no password/,
  },
  {
    what: 'a realm without TLS',
    fault: replaceHeaders('challenges', { 'www-authenticate': `Bearer realm="http://${loginServer}/oauth2/token"` }),
    step: 'challenge',
    found: /sends for a token to http:\/\/contoso\.azurecr\.io, which/,
    toDo: /^Give it no password/,
  },
  {
    what: 'a challenge that names no place',
    fault: replaceHeaders('challenges', { 'www-authenticate': 'Basic realm="x"' }),
    step: 'challenge',
    found: /names no place for a token$/,
    toDo: /see what answers/,
  },
  {
    what: 'a registry whose firewall keeps this network out',
    fault: replaceAnswers('challenges', ({ kind }) => ({ kind, reply: createErrorReply('DENIED') })),
    step: 'challenge',
    found: /^GET \/v2\/ was answered with 403 DENIED: requested access to the resource is denied$/,
    toDo: /az acr network-rule add/,
  },
  {
    what: 'an answer that never comes',
    fault: replaceAnswers('challenges', () => undefined),
    stepTimeoutMs: 1000,
    step: 'challenge',
    found: /^GET \/v2\/ was not answered within 1 s$/,
    toDo: /^Try again/,
  },
  {
    what: 'anonymous pull that is off',
    fault: demandPassword('puller', 'secret'),
    step: 'token',
    found: /^the registry lets nobody pull without a password \(401 UNAUTHORIZED: /,
    toDo: /--user NAME --password-file FILE/,
  },
  {
    what: 'a token that is none',
    fault: replaceContent('tokens', Buffer.from('{"access_token":"a\\r\\nb: c"}')),
    step: 'token',
    found: /has none$/,
    toDo: /see what answers/i,
  },
  {
    what: 'a user without leave',
    fault: replaceAnswers('manifests', ({ kind }) => ({ kind, reply: createErrorReply('DENIED') })),
    step: 'manifest',
    found: /^this user may not pull samples\/noise:1\.0 \(403 DENIED: /,
    toDo: /AcrPull/,
  },
  {
    what: 'a manifest without layers',
    fault: replaceContent('manifests', Buffer.from('{"schemaVersion":1}')),
    step: 'manifest',
    found: /no layers that can be fetched$/,
    toDo: /schema 2 or OCI/,
  },
  {
    what: 'a link to a host that no rule lets through',
    fault: replaceHeaders('redirects', { location: 'https://evil.example/blob?sig=hidden' }),
    step: 'link',
    found: /^host_not_allowed: evil\.example is not an endpoint of contoso\.azurecr\.io$/,
    toDo: /extraHosts/,
    reason: 'host_not_allowed',
  },
  {
    what: 'a link to blob storage, which is not let through',
    fault: replaceHeaders('redirects', { location: 'https://weumanaged15.blob.core.windows.net/blob?sig=hidden' }),
    step: 'link',
    found: /^storage_not_enabled: weumanaged15\.blob\.core\.windows\.net is blob storage/,
    toDo: /az acr update --name contoso --data-endpoint-enabled/,
    reason: 'storage_not_enabled',
  },
  {
    what: 'a link to a region that is not configured',
    fault: replaceHeaders('redirects', { location: 'https://contoso.westus.data.azurecr.io/blob?sig=hidden' }),
    step: 'link',
    found: /^region_not_configured: /,
    toDo: /^Add westus to the regions of contoso\.azurecr\.io\.$/,
    reason: 'region_not_configured',
  },
  {
    what: 'a link without TLS',
    fault: replaceHeaders('redirects', { location: `http://${dataEndpoint}/blob?sig=hidden` }),
    step: 'link',
    found: /^the link leads to http:\/\/contoso\.eastus\.data\.azurecr\.io, and no layer/,
    toDo: /see what answers/i,
  },
  {
    what: 'a layer that is cut short',
    fault: cutLayers(300_000),
    step: 'layer',
    host: dataEndpoint,
    found: /^the layer was cut short: 300000 of 1048576 bytes came$/,
    toDo: /ends transfers: look there for a limit/,
  },
  {
    what: 'a layer that is promised shorter than it is',
    fault: replaceContent('blobs', Buffer.alloc(1000)),
    step: 'layer',
    host: dataEndpoint,
    found: /promises 1000 bytes where 1048576 were asked for$/,
    toDo: /changes what is pulled/,
  },
  {
    what: 'a link that is refused',
    fault: replaceAnswers('blobs', ({ kind }) => {
      return { kind, reply: createReply(403, { 'x-ms-error-code': 'AuthorizationFailure' }, Buffer.from('<Error/>')) }
    }),
    step: 'layer',
    host: dataEndpoint,
    found: /answered the link with 403 AuthorizationFailure$/,
    toDo: /clock is right, and that no firewall of the storage account/,
  },
  {
    what: 'a layer that never comes',
    fault: replaceAnswers('blobs', () => undefined),
    stepTimeoutMs: 1000,
    step: 'layer',
    host: dataEndpoint,
    found: /^the layer did not come within 1 s$/,
    toDo: /^Try again/,
  },
]

for (const { what, fault, stepTimeoutMs, ...expected } of faults) {
  t.test(`${what} is the one line that fails`, async (t) => {
    const world = await startWorld(t, { fault })
    expectOneFailure(t, await world.diagnose(stepTimeoutMs === undefined ? {} : { stepTimeoutMs }), expected)
  })
}

t.test('content that is not what its digest says fails, of a manifest and of a layer', async (t) => {
  const first = await startWorld(t, { fault: replaceContent('manifests', Buffer.from('{}')) })
  expectOneFailure(t, await first.diagnose({ image: { repository, reference: image.manifest.digest } }), {
    step: 'manifest', found: /came with other content than its digest says$/, toDo: /changes what is pulled/,
  })
  const second = await startWorld(t, { image: smallImage, fault: replaceContent('blobs', Buffer.alloc(50_000)) })
  expectOneFailure(t, await second.diagnose(), {
    step: 'layer', host: dataEndpoint, found: /^the layer came with other content than its digest says$/, toDo: /changes what is pulled/,
  })
})

t.test('an image that is not there fails at manifest, by its tag and by its repository', async (t) => {
  const world = await startWorld(t)
  expectOneFailure(t, await world.diagnose({ image: { repository, reference: '9.9' } }), {
    step: 'manifest',
    found: /^there is no samples\/noise:9\.9 in contoso\.azurecr\.io \(404 MANIFEST_UNKNOWN: /,
    toDo: /az acr repository show-tags --name contoso --repository samples\/noise$/,
  })
  expectOneFailure(t, await world.diagnose({ image: { repository: 'samples/other', reference: tag } }), {
    step: 'manifest', found: /^there is no samples\/other:1\.0 in contoso\.azurecr\.io \(404 NAME_UNKNOWN: /, toDo: /show-tags/,
  })
})

t.test('the right password opens the way, a wrong one fails at token, and neither is said', async (t) => {
  const world = await startWorld(t, { fault: demandPassword('puller', 'right: pässword') })
  const good = await world.diagnose({ credentials: { user: 'puller', password: 'right: pässword' } })
  t.same(good.filter(({ status }) => status !== 'passed'), [])
  t.match(good.find(({ step }) => step === 'token'), { found: 'a token for user puller' })
  const bad = await world.diagnose({ credentials: { user: 'puller', password: 'wrong-password' } })
  expectOneFailure(t, bad, {
    step: 'token', found: /^the registry does not take the password of user puller \(401 UNAUTHORIZED: /, toDo: /secret has not expired/,
  })
  t.notMatch(JSON.stringify([good, bad]), /pässword|wrong-password/)
})

/** An index of the image for other platforms, and of the good manifest for one. */
function serveIndex (platforms: readonly string[]): Fault {
  const manifests = platforms.map((platform) => {
    const [os, architecture] = platform.split('/')
    return { digest: platform === 'linux/amd64' ? image.manifest.digest : `sha256:${'0'.repeat(64)}`, platform: { os, architecture } }
  })
  const type = 'application/vnd.oci.image.index.v1+json'
  const index = createReply(200, { 'content-type': type }, Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })))
  return (answer, { url = '' }) => url.endsWith(`/manifests/${tag}`) && answer.kind === 'manifests' ? { ...answer, reply: index } : answer
}

t.test('of an index the manifest of this host\'s platform is taken, and one that is missing fails with those there are', async (t) => {
  const good = await startWorld(t, { fault: serveIndex(['linux/arm64', 'linux/amd64']) })
  const steps = await good.diagnose()
  t.same(steps.filter(({ status }) => status !== 'passed'), [])
  t.match(steps.find(({ step }) => step === 'manifest'), { found: /^sha256:[0-9a-f]{12} for linux\/amd64, 2 layers, / })
  const bad = await startWorld(t, { fault: serveIndex(['linux/arm64', 'unknown/unknown', 'windows/amd64']) })
  expectOneFailure(t, await bad.diagnose(), {
    step: 'manifest', found: /^the image is not there for linux\/amd64, only for linux\/arm64, windows\/amd64$/, toDo: /^Push it for linux\/amd64/,
  })
})

t.test('the token goes to the login server alone, and of the layer no more is asked for than a mebibyte', async (t) => {
  const seen: Array<readonly [host: string, authorization: string, range: string]> = []
  const world = await startWorld(t, {
    fault (answer, { headers: { host = '', authorization = '', range = '' } }) {
      seen.push([host, authorization.split(' ')[0] ?? '', range])
      return answer
    },
  })
  expectNoSecrets(t, await world.diagnose())
  t.same(seen, [
    [loginServer, '', ''], [loginServer, '', ''], [loginServer, 'Bearer', ''], [loginServer, 'Bearer', ''], [dataEndpoint, '', 'bytes=0-1048575'],
  ])
})

t.test('what a registry says in its errors is cut', async (t) => {
  const content = Buffer.from(JSON.stringify({ errors: [{ code: 'DENIED', message: 'x'.repeat(10_000) }] }))
  const world = await startWorld(t, { fault: replaceAnswers('challenges', ({ kind }) => ({ kind, reply: createReply(403, {}, content) })) })
  const failed = (await world.diagnose()).find(({ status }) => status === 'failed')
  t.ok((failed?.found.length ?? 1000) < 300)
})
