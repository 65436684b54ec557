import fc from 'fast-check'
import t from 'tap'
import { clouds } from '../../../src/acr/clouds.ts'
import { parseLoginServer, registryName } from '../../../src/acr/login-server.ts'

t.test('a login server of each cloud is taken apart', async (t) => {
  const table: ReadonlyArray<readonly [text: string, label: string, cloud: string]> = [
    ['contoso.azurecr.io', 'contoso', 'AzureCloud'],
    ['contoso.azurecr.us', 'contoso', 'AzureUSGovernment'],
    ['contoso.azurecr.cn', 'contoso', 'AzureChinaCloud'],
    ['Contoso.AzureCR.io.', 'contoso', 'AzureCloud'],
    ['12345.azurecr.io', '12345', 'AzureCloud'],
    [`${'a'.repeat(50)}.azurecr.io`, 'a'.repeat(50), 'AzureCloud'],
  ]
  for (const [text, label, cloud] of table) {
    const parsed = parseLoginServer(text)
    t.ok(parsed.ok, text)
    if (!parsed.ok) continue
    t.equal(parsed.loginServer.label, label)
    t.equal(parsed.loginServer.cloud.name, cloud)
    t.equal(parsed.loginServer.host, `${label}.${parsed.loginServer.cloud.registrySuffix}`)
  }
})

t.test('a label may hold one hyphen before the hash of its domain name label scope', async (t) => {
  for (const label of ['contoso-a1b2c3d4e5f6g7h8', 'contoso-0', `${'a'.repeat(46)}-${'b'.repeat(16)}`]) {
    const parsed = parseLoginServer(`${label}.azurecr.io`)
    t.equal(parsed.ok && parsed.loginServer.label, label)
  }
  for (const label of ['con-toso-a1b2', 'cont-a1b2c3', 'contoso-', '-contoso', 'contoso--a1b2', `${'a'.repeat(51)}-b`, 'abcd', 'a'.repeat(51)]) {
    t.equal(parseLoginServer(`${label}.azurecr.io`).ok, false, label)
  }
})

t.test('a mistake says what is wrong and what to write instead', async (t) => {
  const general = 'write the registry\'s full name, like contoso.azurecr.io'
  const table: ReadonlyArray<readonly [text: string, what: string, write: string]> = [
    ['contoso', '\'contoso\' is not a login server', 'write contoso.azurecr.io'],
    ['contoso-a1b2', '\'contoso-a1b2\' is not a login server', 'write contoso-a1b2.azurecr.io'],
    ['reg', '\'reg\' is not a login server', general],
    ['contoso.azureacr.io', '\'contoso.azureacr.io\' is not a login server', 'write contoso.azurecr.io (azurecr, not azureacr)'],
    ['https://contoso.azurecr.io', '\'https://contoso.azurecr.io\' is not a host name', 'write contoso.azurecr.io'],
    ['https://contoso.azurecr.us:443/v2/', '\'https://contoso.azurecr.us:443/v2/\' is not a host name', 'write contoso.azurecr.us'],
    ['contoso.azurecr.io:443', '\'contoso.azurecr.io:443\' is not a host name', 'write contoso.azurecr.io'],
    ['contoso.azurecr.io/app:1.0', '\'contoso.azurecr.io/app:1.0\' is not a host name', 'write contoso.azurecr.io'],
    ['https://example.com/', '\'https://example.com/\' is not a host name', general],
    ['user@contoso.azurecr.io', '\'user@contoso.azurecr.io\' is not a host name', general],
    ['*.azurecr.io', '\'*.azurecr.io\' is not a host name', general],
    ['', '\'\' is not a host name', general],
    ['10.0.0.1', '\'10.0.0.1\' is not a host name', general],
    ['azurecr.io', '\'azurecr.io\' is not a login server', general],
    ['contoso.azurecr.de', '\'contoso.azurecr.de\' is not a login server', general],
    ['contoso.evilazurecr.io', '\'contoso.evilazurecr.io\' is not a login server', general],
    ['contoso.azurecr.io.evil.example', '\'contoso.azurecr.io.evil.example\' is not a login server', general],
    ['contoso.eastus.data.azurecr.io', '\'contoso.eastus.data.azurecr.io\' is not a login server',
      'write the login server, contoso.azurecr.io; its other endpoints follow from regions and regionalEndpoints'],
    ['contoso.usgovvirginia.geo.azurecr.us', '\'contoso.usgovvirginia.geo.azurecr.us\' is not a login server',
      'write the login server, contoso.azurecr.us; its other endpoints follow from regions and regionalEndpoints'],
    ['abcd.azurecr.io', '\'abcd\' is not a registry name',
      'write 5 to 50 letters and digits, with at most one hyphen before a hash, as az acr show prints it'],
  ]
  for (const [text, what, write] of table) t.same(parseLoginServer(text), { ok: false, mistake: { what, write } }, text)
})

t.test('what a mistake says to write is right', async () => {
  const slip = fc.constantFrom('https://', 'http://', '').chain((scheme) => fc.tuple(
    fc.constant(scheme),
    fc.stringMatching(/^[a-z0-9]{5,50}$/),
    fc.constantFrom(...clouds.map(({ registrySuffix }) => `.${registrySuffix}`), '', '.azureacr.io', '.eastus.data.azurecr.io'),
    fc.constantFrom('', ':443', '/app:1.0', '/'),
  )).map((parts) => parts.join(''))
  fc.assert(fc.property(slip, (text) => {
    const parsed = parseLoginServer(text)
    if (parsed.ok) return true
    const [, advice] = /^write (?:the login server, )?([a-z0-9.-]+)(?=$|;| \()/.exec(parsed.mistake.write) ?? []
    return advice === undefined || parseLoginServer(advice).ok
  }))
})

t.test('az knows a registry by its label without the hash', async (t) => {
  for (const [host, name] of [['contoso.azurecr.io', 'contoso'], ['fabrikam-abc123.azurecr.us', 'fabrikam']] as const) {
    const parsed = parseLoginServer(host)
    t.equal(parsed.ok && registryName(parsed.loginServer), name)
  }
})
