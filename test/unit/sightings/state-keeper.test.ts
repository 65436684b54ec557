import { chmod, mkdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Sightings, createSightings } from '../../../src/sightings/sightings.ts'
import { type StateKeeper, createStateKeeper, readState } from '../../../src/sightings/state-keeper.ts'

const minute = 60_000
const start = Date.UTC(2026, 10, 1)
const blob = { client: '10.0.0.1:1', host: 'weumanaged15.blob.core.windows.net', labels: undefined, wouldRefuse: undefined }

interface Kept {
  readonly sightings: Sightings
  readonly keeper: StateKeeper
  readonly clock: { now: number }
  /** What was told, each as the event's first word and its problem. */
  readonly told: string[]
}

function keep (t: Test, file: string | undefined, now = start): Kept {
  const clock = { now }
  const told: string[] = []
  const sightings = createSightings({
    registries: ['contoso.azurecr.io'],
    registrySuffixes: new Set(['azurecr.io']),
    blobSuffixes: new Set(['blob.core.windows.net']),
    now: () => clock.now,
  })
  const keeper = createStateKeeper({
    sightings,
    file,
    onRestored: () => told.push('restored'),
    onBad: (problem, setAside) => told.push(`bad: ${problem}: ${setAside ?? 'still there'}`),
    onUnwritable: (problem) => told.push(`unwritable: ${problem}`),
    onWritable: () => told.push('writable'),
  })
  t.teardown(keeper.close)
  return { sightings, keeper, clock, told }
}

t.test('what was seen, and since when, survives a restart', async (t) => {
  const file = join(t.testdir({}), 'sightings.json')
  const first = keep(t, file)
  await first.keeper.start()
  await first.keeper.beat()
  first.sightings.refused(blob, 'storage_not_enabled')
  first.clock.now += minute
  await first.keeper.close()
  t.equal((await stat(file)).mode & 0o777, 0o600)

  const second = keep(t, file, start + 3 * minute)
  await second.keeper.start()
  t.same(second.told, ['restored'])
  const { watch, accounts } = second.sightings.read()
  t.same(watch, { since: start, until: start + 3 * minute, gaps: [] })
  t.match(accounts, [{ host: blob.host, refused: 1, lastSeen: start }])
})

t.test('the file is written when something is new, and once an hour all the same', async (t) => {
  const file = join(t.testdir({}), 'sightings.json')
  const { sightings, keeper, clock } = keep(t, file)
  await keeper.start()
  await keeper.beat()
  const readUntil = async (): Promise<number> => {
    const reading = await readState(file)
    return reading.ok ? reading.state.watch.until : NaN
  }
  const beat = async (): Promise<void> => {
    clock.now += minute
    await keeper.beat()
  }
  await beat()
  t.equal(await readUntil(), start, 'nothing was new')
  sightings.refused(blob, 'storage_not_enabled')
  await beat()
  t.equal(await readUntil(), start + 2 * minute)
  for (let index = 0; index < 59; index++) await beat()
  t.equal(await readUntil(), start + 2 * minute)
  await beat()
  t.equal(await readUntil(), start + 62 * minute)
})

t.test('a file that is no record is told, set aside, and stops nothing', async (t) => {
  for (const text of ['{"version":1', '{}', '"\u001b[2J"', `[${' '.repeat(5 * 1024 * 1024)}]`]) {
    const file = join(t.testdir({ 'sightings.json': text }), 'sightings.json')
    const { sightings, keeper, told } = keep(t, file)
    sightings.refused(blob, 'storage_not_enabled')
    await keeper.start()
    await keeper.beat()
    t.equal(told.length, 1)
    t.match(told[0], new RegExp(`^bad: .+; see that it is the right file: ${file}\\.bad$`))
    t.equal(await readFile(`${file}.bad`, 'utf8'), text)
    t.equal(keeper.problem, undefined)
    t.match(await readState(file), { ok: true, state: { accounts: [{ refused: 1 }] } }, 'a good one is in its place')
    await keeper.close()
  }
})

t.test('what is no ordinary file is left alone', async (t) => {
  const folder = join(t.testdir({}), 'sightings.json')
  await mkdir(folder)
  const { keeper, told } = keep(t, folder)
  await keeper.start()
  await keeper.beat()
  await keeper.close()
  t.same(told, ['bad: is a directory; name a file in it: still there'])
  t.equal(keeper.problem, 'is a directory; name a file in it')
  t.ok((await stat(folder)).isDirectory())
})

t.test('a folder that cannot be written is told once, and again only when it can be', async (t) => {
  const parent = t.testdir({})
  const folder = join(parent, 'later')
  const { keeper, told } = keep(t, join(folder, 'sightings.json'))
  await keeper.start()
  await keeper.beat()
  await keeper.beat()
  t.same(told, ['unwritable: cannot be written (ENOENT); see that its folder is there and yours to write'])
  t.equal(keeper.problem, told[0]?.replace('unwritable: ', ''))
  await mkdir(folder)
  await keeper.beat()
  t.equal(told.at(-1), 'writable')
  t.equal(keeper.problem, undefined)
})

t.test('a folder that may only be read is told', async (t) => {
  const folder = t.testdir({ closed: {} })
  const closed = join(folder, 'closed')
  await chmod(closed, 0o500)
  // To root nothing is closed but what is no folder at all.
  const file = process.getuid?.() === 0 ? '/proc/self/sightings.json' : join(closed, 'sightings.json')
  const { keeper, told } = keep(t, file)
  await keeper.start()
  await keeper.beat()
  t.equal(told.length, 1)
  t.match(told[0], /^unwritable: cannot be written \((?:EACCES|ENOENT|EPERM)\); see that its folder/)
})

t.test('before the first beat nothing is written, so that a start that fails leaves the file to whoever has the port', async (t) => {
  const file = join(t.testdir({}), 'sightings.json')
  const running = keep(t, file)
  await running.keeper.start()
  await running.keeper.beat()
  const before = await stat(file)
  const failing = keep(t, file)
  failing.sightings.refused(blob, 'storage_not_enabled')
  await failing.keeper.start()
  await failing.keeper.close()
  t.equal((await stat(file)).ino, before.ino)

  const unstarted = keep(t, file)
  await unstarted.keeper.close()
  t.equal((await stat(file)).ino, before.ino)
})

t.test('without a file everything is kept in memory', async (t) => {
  const { keeper, told } = keep(t, undefined)
  await keeper.start()
  await keeper.beat()
  t.same([told, keeper.problem], [[], undefined])
})
