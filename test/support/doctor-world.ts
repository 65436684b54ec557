import { createSecureContext } from 'node:tls'
import type { Test } from 'tap'
import type { Configuration } from '../../src/config/configuration.ts'
import { loadConfiguration } from '../../src/config/load.ts'
import { formatProblem } from '../../src/config/problem.ts'
import { type DiagnosisOptions, diagnose } from '../../src/doctor/diagnosis.ts'
import type { Step, StepName } from '../../src/doctor/step.ts'
import { createConfiguredNames, createConfiguredPolicy, lookupOrRefuse } from '../../src/gateway-parts.ts'
import { type Image, createImage } from '../../src/lab/image.ts'
import { type Lab, labNames } from '../../src/lab/lab.ts'
import { type NameAnswer, startNameServer } from '../../src/lab/name-server.ts'
import { type Fault, type LabRegistry, startLabRegistry } from '../../src/lab/registry.ts'
import { parseProxyUrl } from '../../src/net/proxy-url.ts'
import { type Authority, issueAuthority } from '../../src/tls/certificates.ts'
import { labConfiguration } from './lab-configuration.ts'

const { loginServer, dataEndpoint, repository, tag } = labNames

/** An authority that stands in for Azure's, and the one that the tests trust. */
export const azure = await issueAuthority({
  commonName: 'Look-alike TLS Issuing CA 01', organization: 'Microsoft Corporation', validDays: 365, now: new Date(),
})

/** Its largest layer is longer than what doctor fetches of one. */
export const image: Image = await createImage({ layers: [3_000_000, 70_000], seed: 'doctor' })

/** One with a layer that is fetched whole. */
export const smallImage: Image = await createImage({ layers: [50_000], seed: 'small' })

export interface WorldOptions {
  readonly image?: Image
  readonly authority?: Authority
  readonly issuedAt?: Date
  readonly fault?: Fault
  /** Where names are really served, `IP:PORT`, in place of the registry; `null`: the name server is asked. */
  readonly hosts?: Readonly<Record<string, string | null>>
  /** What the name server says; without it there is no such name. */
  readonly answers?: (name: string) => NameAnswer
  /** More of the configuration, or other of it. */
  readonly settings?: object
  /** Files beside the configuration. */
  readonly files?: Readonly<Record<string, string>>
}

/** A registry look-alike with a name server, and the configuration of a gateway in front of it. */
export interface World {
  readonly lab: Pick<Lab, 'hosts' | 'nameServer'>
  readonly registry: LabRegistry
  readonly configuration: Configuration
  /** The configuration's path. */
  readonly file: string
  /** Runs a diagnosis that pulls the image, and gives its steps. */
  diagnose (options?: Partial<DiagnosisOptions>): Promise<readonly Step[]>
}

/** Starts one; the test's end closes it. */
export async function startWorld (t: Test, options: WorldOptions = {}): Promise<World> {
  const { authority = azure, issuedAt, fault, answers = () => ({ rcode: 'NXDOMAIN' } as const) } = options
  const registry = await startLabRegistry({
    loginServer,
    dataEndpoint,
    repository,
    tag,
    image: options.image ?? image,
    authority,
    ...issuedAt === undefined ? {} : { issuedAt },
    ...fault === undefined ? {} : { fault },
  })
  t.teardown(() => registry.close())
  const nameServer = await startNameServer({ answers: ({ name }) => answers(name) })
  t.teardown(() => nameServer.close())
  const served: Record<string, string | null> = {
    [loginServer]: `127.0.0.1:${registry.login.port}`, [dataEndpoint]: `127.0.0.1:${registry.data.port}`, ...options.hosts,
  }
  const places = Object.entries(served).flatMap(([name, place]) => place === null ? [] : [[name, [place]]])
  const hosts = Object.fromEntries(places) as World['lab']['hosts']
  const lab = { hosts, nameServer }
  const folder = t.testdir({ 'config.yaml': labConfiguration(lab, options.settings), ...options.files })
  const file = `${folder}/config.yaml`
  const loaded = await loadConfiguration({ file })
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join('\n'))
  const { configuration } = loaded
  return { lab, registry, configuration, file, diagnose: async (more = {}) => await runDiagnosis(configuration, more) }
}

async function runDiagnosis (configuration: Configuration, more: Partial<DiagnosisOptions>): Promise<readonly Step[]> {
  const names = createConfiguredNames(configuration)
  const steps: Step[] = []
  try {
    await diagnose({
      registries: configuration.registries,
      policy: createConfiguredPolicy(configuration),
      lookup: (host, signal) => lookupOrRefuse(names, host, signal),
      secureContext: createSecureContext({ ca: azure.certificatePem }),
      trustSource: 'the store of the test',
      now: Date.now,
      platform: { os: 'linux', architecture: 'amd64' },
      image: { repository, reference: tag },
      stop: new AbortController().signal,
      onStart: () => {},
      onStep: (step) => steps.push(step),
      ...more,
    })
    return steps
  } finally {
    names.close()
  }
}

/** A proxy URL that is known to be good. */
export function proxyAt (url: string): NonNullable<DiagnosisOptions['proxy']> {
  const parsed = parseProxyUrl(url, { example: { host: 'proxy.example', port: 80 }, credentialsAdvice: '' })
  if (!parsed.ok) throw new TypeError(parsed.mistake.what)
  return parsed.proxy
}

/** What the one failing line is to be. */
export interface ExpectedFailure {
  readonly step: StepName
  readonly host?: string
  readonly found: RegExp
  readonly toDo: RegExp
  readonly reason?: string
}

/**
 * Asserts that one step failed, in these words; that none before it warned; that all behind it were skipped; and that
 * nothing secret was said.
 */
export function expectOneFailure (t: Test, steps: readonly Step[], expected: ExpectedFailure): void {
  const { host = loginServer, ...fields } = expected
  const failed = steps.filter(({ status }) => status === 'failed')
  t.match(failed, [{ host, ...fields }], failed.map(({ step, found }) => `${step}: ${found}`).join('\n'))
  t.equal(failed.length, 1, 'one line fails')
  const index = steps.findIndex(({ status }) => status === 'failed')
  t.ok(steps.slice(0, index).every(({ status }) => status === 'passed' || status === 'skipped'), 'those before it passed')
  const behind = steps.slice(index + 1).filter(({ step }) => step !== 'endpoint')
  t.ok(behind.every(({ status, found }) => status === 'skipped' && found.includes(expected.step)), 'those behind it were not tried')
  const path = ['name', 'address', steps.some(({ step }) => step === 'proxy') ? 'proxy' : 'tcp', 'tls']
  const whole = host === loginServer ? [...path, 'challenge', 'token', 'manifest', 'link', 'layer'] : [...path, 'layer']
  t.same(behind.map(({ step }) => step), whole.slice(whole.indexOf(expected.step) + 1), 'and are all told of')
  expectNoSecrets(t, steps)
}

/** Asserts that neither a signature nor a token is in what is said. */
export function expectNoSecrets (t: Test, said: unknown): void {
  t.notMatch(JSON.stringify(said), /sig=|Bearer |Basic |regid/)
}
