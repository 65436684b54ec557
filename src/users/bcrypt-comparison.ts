/** Whether a password is that of a bcrypt hash (`$2b$`). On libuv's threads; the time depends on the cost alone. */
export type Compare = (password: string, hash: string) => Promise<boolean>

/** There is no bcrypt for this machine. */
export class BcryptUnavailableError extends Error {
  override readonly name = 'BcryptUnavailableError'
}

/**
 * Loads bcrypt, which is native code: for whoever asks for passwords, and no other. Rejects with
 * `BcryptUnavailableError` where there is no build of it; the package has them for x64, arm64 and arm, with glibc and
 * with musl.
 */
export async function loadComparison (): Promise<Compare> {
  try {
    const { default: bcrypt } = await import('bcrypt')
    return async (password, hash) => await bcrypt.compare(password, hash)
  } catch (error) {
    throw new BcryptUnavailableError('bcrypt cannot be loaded', { cause: error })
  }
}
