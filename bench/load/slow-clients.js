import { connect } from 'node:net'
import { connectRequest } from './tunnel.js'

const sources = 16

/**
 * Keeps `each` connections of three kinds open to a gateway, each sending a byte a second: with an unfinished head, in
 * a TLS handshake whose last message never ends, and in a tunnel whose ClientHello never ends. The first ones begin
 * evenly over `overMs`; whichever is ended begins again at once. After `beginNoMore` none begins.
 */
export function startSlowClients ({ address, port, target, hello, each, overMs }) {
  const open = new Map()
  const ended = new Map()
  let isOver = false
  let next = 0
  const request = connectRequest(target)
  const half = hello.length >> 1
  const padding = Buffer.alloc(hello.length, 'x')
  const kinds = {
    // A header that goes on for ever.
    head: { first: Buffer.concat([request.subarray(0, -2), Buffer.from('X-Slow: ')]), rest: padding },
    // RFC 8446: after the hello an encrypted record of 256 bytes is announced.
    handshake: { first: hello, rest: Buffer.concat([Buffer.from([0x17, 3, 3, 1, 0]), padding]) },
    hello: { first: request, afterAnswer: hello.subarray(0, half), rest: hello.subarray(half) },
  }

  function begin (kind) {
    if (isOver) return
    const { first, afterAnswer, rest } = kinds[kind]
    const socket = connect({ host: address, port, localAddress: `127.0.1.${next++ % sources + 1}` })
    const state = { kind, rest, sent: 0, isReady: afterAnswer === undefined }
    open.set(socket, state)
    socket.write(first)
    socket.on('data', () => {
      if (state.isReady) return
      state.isReady = true
      socket.write(afterAnswer)
    })
    socket.on('error', () => {})
    socket.once('close', () => {
      open.delete(socket)
      ended.set(kind, (ended.get(kind) ?? 0) + 1)
      begin(kind)
    })
  }

  let begun = 0
  let haveBegun
  const allBegun = new Promise((resolve) => { haveBegun = resolve })
  const starter = setInterval(() => {
    for (const kind of Object.keys(kinds)) begin(kind)
    if (++begun < each) return
    clearInterval(starter)
    haveBegun()
  }, overMs / each)
  // A tenth of them ten times a second, as long as the process lives.
  let turn = 0
  setInterval(() => {
    let index = 0
    for (const [socket, state] of open) {
      if (index++ % 10 === turn && state.isReady && socket.writable) {
        socket.write(state.rest.subarray(state.sent, ++state.sent))
      }
    }
    turn = (turn + 1) % 10
  }, 100)

  return {
    /** Resolves when each has begun once. */
    allBegun,
    /** How many are open, by kind. */
    count: () => Object.fromEntries(Object.keys(kinds).map((kind) =>
      [kind, [...open.values()].filter((state) => state.kind === kind && state.isReady).length])),
    /** How many were ended by the gateway, by kind. */
    endings: () => Object.fromEntries(ended),
    beginNoMore () {
      isOver = true
      clearInterval(starter)
    },
  }
}
