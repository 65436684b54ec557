/** `node proxy-chain-server.js ADDRESS PORT`: proxy-chain as its README starts it. */
import { Server } from 'proxy-chain'

const [host, port] = process.argv.slice(2)
await new Server({ host, port: Number(port), verbose: false }).listen()
