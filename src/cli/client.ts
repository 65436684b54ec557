import type { ClientFile, ClientSetup } from '../client-files/client-setup.ts'
import { type ClientKind, createClientSetup, findMismatch, isLoopback } from '../client-files/kinds.ts'
import { type Arguments, UsageError, parseArguments, readAction } from './args.ts'
import { listClientWarnings, readClientRequest, readRoot } from './client-request.ts'
import { renderSetup, renderShell, renderWritten } from './client-text.ts'
import { type PutFile, putFiles } from './client-writing.ts'
import type { Command, Terminal } from './command.ts'
import { configurationFlags } from './configuration-flags.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import type { Help } from './help.ts'

const help = {
  paragraphs: [
    'Prints the files that make a client use the gateway, each with its path and exact content, and the commands to run ' +
      'afterwards. With --directory they are written instead. The flags of the configuration say where the gateway is and ' +
      'what the registry is called.',
  ],
  actions: {
    docker: { summary: 'the proxies of /etc/docker/daemon.json; for docker before 23 a drop-in for systemd' },
    containerd: { summary: 'a drop-in for systemd; also for the kubelet, which has containerd pull' },
    podman: { summary: 'a file of containers.conf; also for buildah' },
    iotedge: {
      summary: 'for Azure IoT Edge: drop-ins for docker, aziot-edged and aziot-identityd, and the lines for config.toml',
    },
    env: { summary: 'variables for shells and logins; the output is a script, for eval' },
  },
  flags: {
    proxy: {
      type: 'string',
      value: 'URL',
      description: 'where clients find the gateway, like http://gateway.example:443; else listen of the configuration, ' +
        'when that is an address of its own and not 0.0.0.0',
    },
    user: {
      type: 'string',
      value: 'NAME',
      description: 'a name for Proxy-Authorization; the URL gets it percent-encoded',
    },
    'password-file': {
      type: 'string',
      value: 'FILE',
      takes: 'file',
      description: 'its password, one line; readable by its owner and group only',
    },
    'no-proxy': {
      type: 'string',
      value: 'LIST',
      description: 'names, .domains, addresses and blocks that go direct, besides localhost; with commas',
    },
    ca: {
      type: 'string',
      value: 'FILE',
      takes: 'file',
      description: 'the authority of the gateway\'s certificate, for https:// URLs; adds the file that makes the client ' +
        'trust it',
    },
    directory: {
      type: 'string',
      value: 'ROOT',
      takes: 'directory',
      description: 'write the files below ROOT (/ for this machine) in place of printing them; what is there is kept: ' +
        'other keys of daemon.json, config.toml and /etc/environment stay',
    },
    force: { type: 'boolean', description: 'replace what says otherwise' },
    'drop-in': { type: 'boolean', description: 'docker: the drop-in for docker before 23 alone, in place of daemon.json' },
    json: { type: 'boolean', description: 'print one JSON document: kind, files, steps, notes, warnings' },
    ...configurationFlags,
  },
  exits: {
    [exitCode.ok]: 'it is done',
    [exitCode.denied]: 'a file says otherwise; nothing was written',
    [exitCode.usage]: 'bad usage or configuration, or a file that cannot be read or written',
  },
  examples: [
    { purpose: 'Print what docker needs', line: 'acr-egress client docker --proxy http://gateway.example:443' },
    {
      purpose: 'Write the files of an IoT Edge device',
      line: 'acr-egress client iotedge --proxy http://10.0.0.4:443 --directory /',
    },
    {
      purpose: 'Leave the networks of a cluster out',
      line: 'acr-egress client containerd --proxy http://gateway.example:443 --no-proxy 10.96.0.0/12,.svc,.cluster.local',
    },
    {
      purpose: 'Go through a proxy that wants a password',
      line: 'acr-egress client podman --proxy http://proxy.example:3128 --user edge --password-file ./password',
    },
    {
      purpose: 'Set the variables of this shell',
      line: 'eval "$(acr-egress client env --proxy http://gateway.example:443)"',
    },
  ],
} satisfies Help

/** What was asked for. */
type Given = Arguments<keyof typeof help.flags>

/** `acr-egress client`: what to put on a client so that it uses the gateway. */
export const clientCommand: Command = {
  help,

  async run ([word, ...argv], terminal) {
    const kind = readAction('client', help, word)
    const given = parseArguments(argv, help)
    checkWords(kind, given)
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

function checkWords (kind: ClientKind, given: Given): void {
  const rest = given.words
  if (rest.length > 0) throw new UsageError(`client takes one kind; run it for ${[kind, ...rest].join(' and ')} by themselves`)
  if (given.has('force') && !given.has('directory')) throw new UsageError('--force: only files that are written can be replaced; write --directory ROOT')
  if (given.has('drop-in') && kind !== 'docker') throw new UsageError(`--drop-in: is for docker, which has two forms; leave it out for ${kind}`)
}

/** Of files that do the same only the one of this name. */
function chooseFiles ({ files }: ClientSetup, name: NonNullable<ClientFile['choice']>['name']): readonly ClientFile[] {
  return files.filter(({ choice }) => choice === undefined || choice.name === name)
}

function print (
  kind: ClientKind, setup: ClientSetup, given: Given, warnings: readonly string[], { stdout }: Terminal,
): void {
  if (given.has('json')) stdout.write(renderDocument(kind, setup, warnings))
  else stdout.write(kind === 'env' ? renderShell(setup) : renderSetup(setup))
}

async function write (
  kind: ClientKind, setup: ClientSetup, root: string, given: Given, warnings: readonly string[], terminal: Terminal,
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
