import type { ClientFile, ClientSetup } from '../client-files/client-setup.ts'
import { type ClientKind, clientKinds, createClientSetup, findMismatch, isLoopback } from '../client-files/kinds.ts'
import { type Arguments, UsageError, parseArguments, suggestion } from './args.ts'
import { listClientWarnings, readClientRequest, readRoot } from './client-request.ts'
import { renderSetup, renderShell, renderWritten } from './client-text.ts'
import { type PutFile, putFiles } from './client-writing.ts'
import { type Command, type ExitCode, type Terminal, exitCode } from './command.ts'
import { configurationFlags, configurationFlagsHelp } from './configuration-flags.ts'

const help = `\
Usage: acr-egress client KIND [--proxy URL] [--user NAME --password-file FILE] [--no-proxy LIST] [--ca FILE]
                              [--directory ROOT [--force]] [--drop-in] [--json] [configuration flags]

Prints the files that make a client use the gateway, each with its path and exact content, and the commands to run
afterwards. With --directory they are written instead. KIND is one of

  docker       /etc/docker/daemon.json; for docker before 23 a drop-in for systemd
  containerd   a drop-in for systemd; also for the kubelet, which has containerd pull
  podman       a file of containers.conf; also for buildah
  iotedge      Azure IoT Edge: drop-ins for docker, aziot-edged and aziot-identityd, and the lines for config.toml
  env          variables for shells and logins; the output is a script: eval "$(acr-egress client env ...)"

Flags:
  --proxy URL              where clients find the gateway, like http://gateway.example:443; else listen of the
                           configuration, when that is an address of its own and not 0.0.0.0
  --user NAME              a name for Proxy-Authorization; the URL gets it percent-encoded
  --password-file FILE     its password, one line; readable by its owner and group only
  --no-proxy LIST          names, .domains, addresses and blocks that go direct, besides localhost; with commas
  --ca FILE                the authority of the gateway's certificate, for https:// URLs: adds the file that makes the
                           client trust it
  --directory ROOT         write the files below ROOT (/ for this machine) in place of printing them. What is there is
                           kept: other keys of daemon.json, config.toml and /etc/environment stay
  --force                  replace what says otherwise
  --drop-in                docker: the drop-in for docker before 23 alone, in place of daemon.json
  --json                   one JSON document: kind, files, steps, notes, warnings

Configuration flags, for the address of the gateway and the name of the registry:
${configurationFlagsHelp}

Exit code: 0 when it is done; 1 when a file says otherwise: nothing was written then; 2 for bad usage or configuration,
or when a file cannot be read or written; 4 when standard output cannot be written.

Examples:
  acr-egress client docker --proxy http://gateway.example:443
  acr-egress client iotedge --proxy http://10.0.0.4:443 --directory /
  acr-egress client containerd --proxy http://gateway.example:443 --no-proxy 10.96.0.0/12,.svc,.cluster.local
  acr-egress client podman --proxy http://proxy.example:3128 --user edge --password-file ./password
`

const ownFlags = {
  proxy: { type: 'string' },
  user: { type: 'string' },
  'password-file': { type: 'string' },
  'no-proxy': { type: 'string' },
  ca: { type: 'string' },
  directory: { type: 'string' },
  force: { type: 'boolean' },
  'drop-in': { type: 'boolean' },
  json: { type: 'boolean' },
} as const

/** `acr-egress client`: what to put on a client so that it uses the gateway. */
export const clientCommand: Command = {
  help,

  async run (argv, terminal) {
    const given = parseArguments(argv, { ...configurationFlags, ...ownFlags })
    const kind = readKind(given)
    const request = await readClientRequest(given, terminal)
    if (request === undefined) return exitCode.usage
    const mismatch = findMismatch(kind, request)
    if (mismatch !== undefined) throw new UsageError(`client ${kind}: ${mismatch}`)
    const setup = createClientSetup(kind, request)
    const warnings = [
      ...listClientWarnings(request),
      ...isLoopback(request.proxy.host) ? [`${request.proxy.host} is this machine; for clients elsewhere write --proxy http://gateway.example:443`] : [],
    ]
    for (const warning of warnings) terminal.stderr.write(`warning: ${warning}\n`)
    const root = readRoot(given)
    if (root !== undefined) return await write(kind, setup, root, given, warnings, terminal)
    const files = given.has('drop-in') ? chooseFiles(setup, 'drop-in') : setup.files
    print(kind, { ...setup, files }, given, warnings, terminal)
    return exitCode.ok
  },
}

function readKind (given: Arguments): ClientKind {
  const [word, ...rest] = given.words
  const list = clientKinds.join(', ')
  if (word === undefined) throw new UsageError(`client: say which kind of client; write acr-egress client KIND, one of ${list}`)
  const kind = clientKinds.find((one) => one === word)
  if (kind === undefined) {
    const near = suggestion(word, clientKinds, '')
    throw new UsageError(`client ${JSON.stringify(word)}: no such kind${near === '' ? `; there are ${list}` : near}`)
  }
  if (rest.length > 0) throw new UsageError(`client takes one kind; run it for ${[kind, ...rest].join(' and ')} by themselves`)
  if (given.has('force') && !given.has('directory')) throw new UsageError('--force: only files that are written can be replaced; write --directory ROOT')
  if (given.has('drop-in') && kind !== 'docker') throw new UsageError(`--drop-in: is for docker, which has two forms; leave it out for ${kind}`)
  return kind
}

/** Of files that do the same only the one of this name. */
function chooseFiles ({ files }: ClientSetup, name: NonNullable<ClientFile['choice']>['name']): readonly ClientFile[] {
  return files.filter(({ choice }) => choice === undefined || choice.name === name)
}

function print (
  kind: ClientKind, setup: ClientSetup, given: Arguments, warnings: readonly string[], { stdout }: Terminal,
): void {
  if (given.has('json')) stdout.write(renderDocument(kind, setup, warnings))
  else stdout.write(kind === 'env' ? renderShell(setup) : renderSetup(setup))
}

async function write (
  kind: ClientKind, setup: ClientSetup, root: string, given: Arguments, warnings: readonly string[], terminal: Terminal,
): Promise<ExitCode> {
  const files = chooseFiles(setup, given.has('drop-in') ? 'drop-in' : 'daemon.json')
  const put = await putFiles(files, root, given.has('force'))
  if (!put.ok) {
    terminal.stderr.write(put.problems.map((problem) => `${problem}\n`).join(''))
    return put.isRefusal ? exitCode.denied : exitCode.usage
  }
  if (given.has('json')) terminal.stdout.write(renderDocument(kind, { ...setup, files }, warnings, put.files))
  else terminal.stdout.write(renderWritten({ ...setup, files }, put.files))
  return exitCode.ok
}

function renderDocument (
  kind: ClientKind, setup: ClientSetup, warnings: readonly string[], put?: readonly PutFile[],
): string {
  const files = setup.files.map(({ path, content, mode, choice }, index) => ({
    path,
    content,
    mode: mode.toString(8).padStart(4, '0'),
    ...choice === undefined ? {} : { for: choice.when },
    ...put === undefined ? {} : { written: put[index]?.path, result: put[index]?.result },
  }))
  return `${JSON.stringify({ kind, files, steps: setup.steps, notes: setup.notes, warnings }, null, 2)}\n`
}
