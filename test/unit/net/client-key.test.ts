import t from 'tap'
import { clientKey } from '../../../src/net/client-key.ts'
import { readAddress } from './addresses.ts'

t.test('limits are counted for an IPv4 address, and for the /64 of an IPv6 address', async (t) => {
  const keyOf = (text: string): string => clientKey(readAddress(text))
  t.not(keyOf('192.0.2.1'), keyOf('192.0.2.2'))
  t.equal(keyOf('2001:db8:1:2::1'), keyOf('2001:db8:1:2:ffff:ffff:ffff:ffff'))
  t.not(keyOf('2001:db8:1:2::1'), keyOf('2001:db8:1:3::1'))
  t.not(keyOf('2001:db8:1:2::1'), keyOf('2001:db8:0:2::1'))
  t.not(keyOf('::1'), keyOf('0.0.0.1'))
})
