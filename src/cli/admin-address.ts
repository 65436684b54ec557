import { readFlags } from '../config/flags.ts'
import { defaultFile, loadConfiguration } from '../config/load.ts'
import { defaultAdmin } from '../config/schema.ts'
import { absentStamp, readStamp } from '../host/text-file.ts'
import type { Arguments } from './args.ts'
import type { Terminal } from './command.ts'
import { printProblems, readLoadOptions } from './configuration-flags.ts'
import type { AdminAddress } from './daemon-request.ts'

/**
 * Where the running daemon is to be asked: `--admin ADDR:PORT`, or else what the configuration says, or its default
 * when there is no configuration. The file of service tags is not read. `undefined` when that cannot be told, and the
 * reason has been printed.
 */
export async function findAdminAddress (given: Arguments, terminal: Terminal): Promise<AdminAddress | undefined> {
  const options = readLoadOptions(given)
  const flags = readFlags({ ...options.admin === undefined ? {} : { admin: options.admin } })
  if (flags.problems.length > 0) {
    printProblems(terminal, flags.problems)
    return undefined
  }
  // Whoever names it needs no configuration here, and it may be broken for all that the daemon knows.
  const { address, port } = { ...defaultAdmin, ...flags.admin }
  if (flags.admin?.address !== undefined) return reach({ address, port }, terminal)
  const isNamed = options.file !== undefined || given.values('registry').length > 0
  if (!isNamed && await readStamp(defaultFile) === absentStamp) return reach({ address, port }, terminal)
  const loaded = await loadConfiguration({ ...options, skipTagFile: true })
  if (loaded.ok) return reach(loaded.configuration.admin, terminal)
  printProblems(terminal, loaded.problems)
  terminal.stderr.write('Mend that, or name the daemon\'s admin listener: --admin ADDR:PORT\n')
  return undefined
}

/** Every address of the machine is asked by loopback. */
function reach ({ address, port }: AdminAddress, { stderr }: Terminal): AdminAddress | undefined {
  if (port === 0) {
    stderr.write('admin.port is 0, which is any free port; write the one of gateway_started in the daemon\'s log: --admin ADDR:PORT\n')
    return undefined
  }
  const loopback: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }
  return { address: loopback[address] ?? address, port }
}
