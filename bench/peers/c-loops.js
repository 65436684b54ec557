import { describeNative } from './native.js'
import { readVersion } from './peer.js'

const { binary, missing } = describeNative('relay-loop', { packages: 'gcc libc6-dev' })

/** The references: what the kernel alone costs, with and without copying. */
export const cLoops = ['splice', 'copy'].map((mode) => ({
  name: `C loop, ${mode}`,
  splices: mode === 'splice',
  missing,
  version: () => readVersion('cc', '--version'),
  command: ({ listen, source: { address, port } }) =>
    [binary, mode, listen.address, String(listen.port), address, String(port)],
}))
