// The upstream of the benchmark, in a process of its own: sends as many bytes as the client's first line asks for.
import { createServer } from 'node:net'

const block = Buffer.alloc(256 * 1024, 0x5a)

const server = createServer((socket) => {
  socket.on('error', () => {})
  socket.once('data', (line) => {
    let left = Number(line.toString())
    const send = () => {
      while (left > 0) {
        const size = Math.min(left, block.length)
        left -= size
        if (!socket.write(block.subarray(0, size))) return socket.once('drain', send)
      }
      socket.end()
    }
    send()
  })
})
server.listen(0, '127.0.0.1', () => process.send(server.address().port))
