import t from 'tap'
import { listInheritedSockets } from '../../../src/host/systemd.ts'

t.test('the sockets are those of LISTEN_FDS, if they are for this process', (t) => {
  const table: ReadonlyArray<readonly [env: NodeJS.ProcessEnv, expected: ReadonlyArray<readonly [number, string]>]> = [
    [{}, []],
    [{ LISTEN_FDS: '1' }, []],
    [{ LISTEN_PID: '43', LISTEN_FDS: '1' }, []],
    [{ LISTEN_PID: '', LISTEN_FDS: '1' }, []],
    [{ LISTEN_PID: '42' }, []],
    [{ LISTEN_PID: '42', LISTEN_FDS: '' }, []],
    [{ LISTEN_PID: '42', LISTEN_FDS: '0' }, []],
    [{ LISTEN_PID: '42', LISTEN_FDS: '-1' }, []],
    [{ LISTEN_PID: '42', LISTEN_FDS: '1.5' }, []],
    [{ LISTEN_PID: '42', LISTEN_FDS: 'one' }, []],
    [{ LISTEN_PID: '42', LISTEN_FDS: '1' }, [[3, '']]],
    [{ LISTEN_PID: '42', LISTEN_FDS: '1', LISTEN_FDNAMES: 'proxy' }, [[3, 'proxy']]],
    [{ LISTEN_PID: '42', LISTEN_FDS: '3', LISTEN_FDNAMES: 'proxy::admin' }, [[3, 'proxy'], [4, ''], [5, 'admin']]],
    [{ LISTEN_PID: '42', LISTEN_FDS: '2', LISTEN_FDNAMES: 'proxy' }, [[3, 'proxy'], [4, '']]],
    [{ LISTEN_PID: '42', LISTEN_FDS: '1', LISTEN_FDNAMES: 'proxy:spare' }, [[3, 'proxy']]],
  ]
  for (const [env, expected] of table) {
    t.strictSame(listInheritedSockets(env, 42), expected.map(([fd, name]) => ({ fd, name })), JSON.stringify(env))
  }
  t.end()
})
