import t from 'tap'
import { parseImageReference } from '../../../src/doctor/image-reference.ts'

const digest = `sha256:${'0a'.repeat(32)}`

t.test('repository, tag, digest and registry are read as docker reads them', async (t) => {
  const table = [
    ['app', { repository: 'app', reference: 'latest' }],
    ['samples/app:1.0', { repository: 'samples/app', reference: '1.0' }],
    [`samples/app@${digest}`, { repository: 'samples/app', reference: digest }],
    [`samples/app:1.0@${digest}`, { repository: 'samples/app', reference: digest }],
    ['Contoso.azurecr.io/samples/app:1.0', { registry: 'contoso.azurecr.io', repository: 'samples/app', reference: '1.0' }],
    ['localhost:5000/app', { registry: 'localhost:5000', repository: 'app', reference: 'latest' }],
    ['a__b/c-d.e:V_1', { repository: 'a__b/c-d.e', reference: 'V_1' }],
  ] as const
  for (const [text, image] of table) t.same(parseImageReference(text), { ok: true, image }, text)
})

t.test('what no image can be called is refused with what to write', async (t) => {
  const table = [
    ['Samples/App:1.0', /in lower case: samples\/app/], ['', /REPO:TAG/], ['app:', /tag/], ['app:-x', /tag/], ['app@sha256:00', /copy it whole/],
    ['app@', /copy it whole/], ['../etc', /REPO:TAG/], ['app?x', /REPO:TAG/], ['a b', /REPO:TAG/], ['/app', /REPO:TAG/], ['a'.repeat(600), /too long/],
  ] as const
  for (const [text, problem] of table) t.match(parseImageReference(text), { ok: false, problem }, text)
})
