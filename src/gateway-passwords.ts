import type { Logger } from 'pino'
import type { Configuration } from './config/configuration.ts'
import { type PasswordFile, describePasswordFile, readPasswordFile } from './config/password-file.ts'
import { type FileWatch, watchFiles } from './host/file-watch.ts'
import { loadComparison } from './users/bcrypt-comparison.ts'
import { type PasswordCheck, createPasswordCheck } from './users/password-check.ts'

/** The passwords that a running gateway asks for. */
export interface GatewayPasswords {
  /** Loads bcrypt, and watches the file from now on. Rejects with `BcryptUnavailableError`. */
  start (): Promise<void>
  /** From `start` on. */
  readonly decide: PasswordCheck['decide']
  readonly passwordFile: PasswordFile
  /** Why the file, as it is now, was not taken: what is wrong; what to do. */
  readonly problem: string | undefined
  close (): void
}

const intervalMs = 1000

/**
 * Nothing, when the configuration asks for no passwords. A new state of the file is taken whole, between two checks, or
 * not at all; in that case the users of before stay. The caller closes it.
 */
export function createGatewayPasswords (
  { clients: { passwordFile: first } }: Configuration, logger: Logger,
): GatewayPasswords | undefined {
  if (first === undefined) return undefined
  const { file } = first
  let current = first
  let problem: string | undefined
  let check: PasswordCheck | undefined
  let watch: FileWatch | undefined
  let isClosed = false

  async function update (): Promise<void> {
    const reading = await readPasswordFile(file)
    if (isClosed) return
    if (reading.ok) {
      current = reading.passwordFile
      problem = undefined
      logger.info(describe(current), 'password_file_updated')
    } else {
      problem = describePasswordFile(reading)
      logger.error({ file, problem }, 'password_file_refused')
    }
  }

  return {
    async start () {
      check = createPasswordCheck({ users: () => current.users, compare: await loadComparison() })
      logger.info(describe(first), 'password_file_loaded')
      watch = watchFiles({ files: [{ file, stamp: first.stamp }], intervalMs, onChange: update })
    },
    decide (...asked) {
      if (check === undefined) throw new TypeError('no passwords before the gateway has started')
      return check.decide(...asked)
    },
    get passwordFile () { return current },
    get problem () { return problem },
    close () {
      isClosed = true
      watch?.close()
      check?.close()
    },
  }
}

function describe ({ file, users: { passwords } }: PasswordFile): object {
  return { file, users: passwords.size }
}
