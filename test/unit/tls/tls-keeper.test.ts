import { chmod, copyFile, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readTlsFiles } from '../../../src/tls/tls-files.ts'
import { type TlsKeeper, type TlsUpdate, createTlsKeeper, tlsUpdateResults } from '../../../src/tls/tls-keeper.ts'
import { type IssuedPair, createOpensslAuthority } from '../../support/openssl-authority.ts'
import { waitUntil } from '../../support/wait-until.ts'

const authority = createOpensslAuthority(t, { subject: '/CN=root', to: 400 })
const first = authority.issueServer(['gateway.example'], { to: 200 })
const second = authority.issueServer(['gateway.example'], { to: 300 })
const further = authority.issueServer(['other.example'], { to: 200 })
const never = 3_600_000
/** One that sees the change, one that sees it still, and as many as a bad state is borne with. */
const looksUntilTold = 11

interface Kept {
  readonly folder: string
  readonly keeper: TlsKeeper
  /** Looks so many times, and gives what came of it. */
  look (times: number): Promise<readonly TlsUpdate[]>
  /** Whether this certificate is the one in force. */
  serves (pair: IssuedPair): boolean
}

async function write (folder: string, name: string, text: string): Promise<void> {
  await writeFile(join(folder, name), text)
  await chmod(join(folder, name), 0o600)
}

/** A keeper of all kinds of files, that looks only when it is told to unless an interval is given. */
async function keep (t: Test, folder = t.testdir({}), intervalMs = never): Promise<Kept> {
  const contents = {
    'a.crt': first.cert,
    'a.key': first.key,
    'b.crt': further.cert,
    'b.key': further.key,
    'ca.crt': authority.cert,
    'ca.crl': authority.issueList(),
  }
  for (const [name, text] of Object.entries(contents)) await write(folder, name, text)
  return await keepFolder(t, folder, intervalMs)
}

async function keepFolder (t: Test, folder: string, intervalMs = never): Promise<Kept> {
  const pair = (name: string) => ({ certFile: join(folder, `${name}.crt`), keyFile: join(folder, `${name}.key`) })
  const { files, problems } = await readTlsFiles({
    pairs: [pair('a'), pair('b')], clientCaFile: join(folder, 'ca.crt'), clientCrlFile: join(folder, 'ca.crl'),
  }, Date.now())
  if (files === undefined) throw new Error(problems.map(({ message }) => message).join('\n'))
  const updates: TlsUpdate[] = []
  const keeper = createTlsKeeper({ files, intervalMs, now: Date.now, onUpdate: (update) => updates.push(update) })
  t.teardown(keeper.close)
  return {
    folder,
    keeper,
    async look (times) {
      const before = updates.length
      for (let count = 0; count < times; count++) await keeper.look()
      return updates.slice(before)
    },
    serves: ({ cert }) => keeper.current.pairs[0]?.certificatePem === cert,
  }
}

t.test('files that stay as they are bring nothing', async (t) => {
  const { look } = await keep(t)
  t.same(await look(20), [])
})

t.test('a renewed certificate and its key are in force at the second look', async (t) => {
  const { folder, look, serves, keeper } = await keep(t)
  await write(folder, 'a.key', second.key)
  await write(folder, 'a.crt', second.cert)
  t.match(await look(2), [{ result: 'applied', warnings: [], files: keeper.current }])
  t.ok(serves(second))
  t.same(keeper.problems, [])
  t.same(await look(20), [])
})

t.test('each of the files is looked after', async (t) => {
  const { folder, look, keeper } = await keep(t)
  const list = authority.issueList({ to: 60 })
  await write(folder, 'ca.crl', list)
  t.match(await look(2), [{ result: 'applied' }])
  t.same(keeper.current.clientAuthorities?.revocation?.crlPems, [list.trim()])
  const other = authority.issueServer(['third.example'])
  await write(folder, 'b.key', other.key)
  await write(folder, 'b.crt', other.cert)
  t.match(await look(2), [{ result: 'applied' }])
  t.same(keeper.current.pairs[1]?.names, ['third.example'])
  await write(folder, 'ca.crt', authority.cert + authority.issueAuthority().cert)
  t.match(await look(looksUntilTold), [{ result: 'refused', problems: [{ path: ['clientCrlFile'], message: /no revocation list of CN=intermediate/ }] }])
})

t.test('between a key and its certificate the old pair serves, and nobody is bothered', async (t) => {
  const { folder, look, serves, keeper } = await keep(t)
  await write(folder, 'a.key', second.key)
  t.same(await look(looksUntilTold - 1), [])
  t.ok(serves(first))
  t.same(keeper.problems, [])
  await write(folder, 'a.crt', second.cert)
  t.match(await look(2), [{ result: 'applied' }])
  t.ok(serves(second))
})

t.test('a state that stays bad is told once, whatever is wrong, and the old one serves until a good one comes', async (t) => {
  const { folder, look, serves, keeper } = await keep(t)
  const bad: ReadonlyArray<readonly [() => Promise<void>, RegExp]> = [
    [() => write(folder, 'a.key', second.key), /the key is not the certificate's/],
    [() => write(folder, 'a.crt', 'hello'), /no certificate in PEM form/],
    [() => rm(join(folder, 'a.key')), /does not exist/],
    [() => chmod(join(folder, 'b.key'), 0o644).then(() => write(folder, 'ca.crl', 'x')), /no revocation list in PEM form/],
  ]
  for (const [spoil, expected] of bad) {
    await spoil()
    const [update, ...more] = await look(3 * looksUntilTold)
    t.match(update, { result: 'refused', problems: keeper.problems })
    t.ok(keeper.problems.some(({ message }) => expected.test(message)), String(expected))
    t.same(more, [])
    t.ok(serves(first))
  }
  for (const [name, text] of Object.entries({ 'a.crt': second.cert, 'a.key': second.key, 'b.key': further.key, 'ca.crl': authority.issueList() })) {
    await write(folder, name, text)
  }
  t.match(await look(2), [{ result: 'applied' }])
  t.ok(serves(second))
  t.same(keeper.problems, [])
})

t.test('files behind a link that is swapped, as Kubernetes and certbot replace them, are taken', async (t) => {
  const folder = t.testdir({})
  const [old, renewed, live] = ['1', '2', 'live'].map((name) => join(folder, name))
  if (old === undefined || renewed === undefined || live === undefined) throw new TypeError('three names')
  await mkdir(old)
  await mkdir(renewed)
  await keep(t, old)
  for (const name of ['b.crt', 'b.key', 'ca.crt', 'ca.crl']) await copyFile(join(old, name), join(renewed, name))
  await write(renewed, 'a.crt', second.cert)
  await write(renewed, 'a.key', second.key)
  await symlink(old, live)
  const { look, serves } = await keepFolder(t, live)
  await symlink(renewed, `${live}.new`)
  await rename(`${live}.new`, live)
  t.match(await look(2), [{ result: 'applied' }])
  t.ok(serves(second))
})

t.test('what is near its end is taken, with a warning', async (t) => {
  const { folder, look } = await keep(t)
  const brief = authority.issueServer(['gateway.example'], { to: 5 })
  await write(folder, 'a.key', brief.key)
  await write(folder, 'a.crt', brief.cert)
  t.match(await look(2), [{ result: 'applied', warnings: [{ path: ['certFile'], message: /expires on/ }] }])
})

t.test('it looks by itself, until it is closed', async (t) => {
  const { folder, serves, keeper } = await keep(t, t.testdir({}), 5)
  await write(folder, 'a.key', second.key)
  await write(folder, 'a.crt', second.cert)
  await waitUntil(() => serves(second), 'the new certificate')
  keeper.close()
  await write(folder, 'a.key', first.key)
  await write(folder, 'a.crt', first.cert)
  await keeper.look()
  await keeper.look()
  t.ok(serves(second))
})

t.test('the results are a closed list', async (t) => {
  t.same(tlsUpdateResults, ['applied', 'refused'])
})
