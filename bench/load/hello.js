import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { connect } from 'node:tls'

/** The ClientHello that Node's own TLS client sends to a host. */
export async function recordHello (host) {
  const wire = new Duplex({
    read () {},
    write (bytes, _encoding, done) {
      this.emit('hello', bytes)
      done()
    },
  })
  const heard = once(wire, 'hello')
  const client = connect({ socket: wire, servername: host })
  const [hello] = await heard
  client.destroy()
  return hello
}
