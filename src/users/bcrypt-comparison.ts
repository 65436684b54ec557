/** Whether a password is that of a bcrypt hash (`$2b$`). On libuv's threads; the time depends on the cost alone. */
export type Compare = (password: string, hash: string) => Promise<boolean>

/**
 * Loads bcrypt, which is native code: for whoever asks for passwords, and no other. Rejects where there is no build of
 * it; the package has them for x64, arm64 and arm, with glibc and with musl.
 */
export async function loadComparison (): Promise<Compare> {
  const { default: bcrypt } = await import('bcrypt')
  return async (password, hash) => await bcrypt.compare(password, hash)
}
