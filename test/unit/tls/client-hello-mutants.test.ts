import t from 'tap'
import { canonicalHostName } from '../../../src/net/host-name.ts'
import { type HelloReading, readClientHello } from '../../../src/tls/client-hello.ts'
import { createMutants, originalName } from '../../support/hello-mutants.ts'
import { createDice } from '../../support/noise.ts'
import { createOpenSslReader } from '../../support/openssl-reading.ts'
import { recordedHellos } from '../../support/recorded-hellos.ts'

const problems = ['no_handshake', 'no_client_hello', 'malformed', 'too_large', 'unusable_name']

/** Whether a reading is one of those there are, and no beginning of the bytes is read in a way that contradicts it. */
function isSound (reading: HelloReading, before: HelloReading): boolean {
  if (reading.state === 'not_tls' && !problems.includes(reading.problem)) return false
  return before.state === 'partial' || JSON.stringify(before) === JSON.stringify(reading)
}

/** For the log: what it was, and the bytes to make a test of. */
function describe (reading: HelloReading, bytes: Buffer): string {
  return `${JSON.stringify(reading)} for ${bytes.toString('hex')}`
}

/** How many in a hundred OpenSSL is shown of each kind; it is asked a fifth of a millisecond for each. */
const shares = { partial: 0.3, unchanged: 3, changed: 40, nameless: 8 }

function kindOf (reading: Exclude<HelloReading, { state: 'not_tls' }>): keyof typeof shares {
  if (reading.state === 'partial') return 'partial'
  if (reading.serverName === undefined) return 'nameless'
  return reading.serverName === originalName ? 'unchanged' : 'changed'
}

// Each is ten seconds of a slow core; `ACR_EGRESS_MUTANT_SEEDS=4` makes it a million.
const seeds = Number(process.env['ACR_EGRESS_MUTANT_SEEDS'] ?? 1)
const mutantsPerSeed = 250_000

for (let seed = 1; seed <= seeds; seed++) {
  t.test(`damaged hellos are read without a throw, and never with another name than OpenSSL reads (seed ${seed})`, async (t) => {
    const makeMutant = createMutants(seed)
    const dice = createDice(-seed)
    const readByOpenSsl = await createOpenSslReader(t)
    const seen = { partial: 0, hello: 0, not_tls: 0, compared: 0, sameName: 0, sameChangedName: 0, bothNameless: 0 }

    async function compare (bytes: Buffer, reading: HelloReading): Promise<void> {
      const { serverName, isAnswered } = await readByOpenSsl(bytes)
      const ours = reading.state === 'hello' ? reading.serverName : undefined
      seen.compared++
      if (serverName === undefined) {
        if (isAnswered && reading.state === 'partial') t.fail(`OpenSSL has answered ${describe(reading, bytes)}`)
        if (isAnswered && reading.state === 'hello' && ours === undefined) seen.bothNameless++
      } else if (ours === undefined || canonicalHostName(serverName) !== ours) {
        t.fail(`OpenSSL reads ${JSON.stringify(serverName)}, not ${describe(reading, bytes)}`)
      } else {
        seen.sameName++
        if (ours !== originalName) seen.sameChangedName++
      }
    }

    for (let index = 0; index < mutantsPerSeed; index++) {
      const bytes = makeMutant()
      const reading = readClientHello(bytes)
      seen[reading.state]++
      const before = readClientHello(bytes.subarray(0, Math.floor(dice() * bytes.length)))
      if (!isSound(reading, before)) t.fail(`${JSON.stringify(before)} became ${describe(reading, bytes)}`)
      if (reading.state !== 'not_tls' && dice() * 100 < shares[kindOf(reading)]) await compare(bytes, reading)
    }

    t.comment(JSON.stringify(seen))
    t.ok(seen.hello > 50_000 && seen.partial > 4_000 && seen.not_tls > 100_000, 'there were many of each kind')
    t.ok(seen.sameName > 5_000 && seen.sameChangedName > 4_000, 'and many in which OpenSSL reads a name, mostly another one')
    t.ok(seen.bothNameless > 1_000, 'and many that OpenSSL answers without a name')
  })
}

t.test('OpenSSL reads the names that it is compared by', async (t) => {
  const readByOpenSsl = await createOpenSslReader(t)
  for (const { client, hex } of recordedHellos) {
    t.equal((await readByOpenSsl(Buffer.from(hex, 'hex'))).serverName, originalName, client)
  }
})
