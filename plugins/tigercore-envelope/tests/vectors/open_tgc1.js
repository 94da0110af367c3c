// A second reader of the format, on Node's own crypto: print what becomes of every message in the vectors' file.
'use strict'
const { createDecipheriv, createHash, hkdfSync, timingSafeEqual } = require('crypto')
const { readFileSync } = require('fs')

const size = (part) => { const bytes = Buffer.alloc(4); bytes.writeUInt32BE(part.length); return bytes }
const lp = (...parts) => Buffer.concat(parts.flatMap((part) => [size(part), part]))

function open({ kek, version, context, sealed }) {
  const message = Buffer.from(sealed, 'hex'), body = message.length - 102
  if (body < 256 || body % 256 || message.toString('latin1', 0, 6) !== 'TGC1\0\x01') return 'Malformed'
  if (message.readUInt32BE(6) !== version) return 'KeyUnavailable'
  const nonce = message.subarray(42, 54), place = lp(...context.map((part) => Buffer.from(part, 'hex')))
  const key = createHash('sha256').update(`tigercore golden kek ${kek}`).digest()
  const info = lp(Buffer.from('tigercore/TGC1'), message.subarray(4, 10), nonce, place)
  const okm = Buffer.from(hkdfSync('sha256', key, message.subarray(10, 42), info, 64))
  if (!timingSafeEqual(okm.subarray(32), message.subarray(54, 86))) return 'WrongKeyOrContext'
  const gcm = createDecipheriv('aes-256-gcm', okm.subarray(0, 32), nonce, { authTagLength: 16 })
  gcm.setAAD(Buffer.concat([message.subarray(0, 86), place])).setAuthTag(message.subarray(-16))
  const padded = gcm.update(message.subarray(86, -16)), end = 4 + padded.readUInt32BE(0)
  try { gcm.final() } catch { return 'Tampered' }
  if (end > padded.length || padded.length - end >= 256 || padded.subarray(end).some(Boolean)) return 'Malformed'
  return padded.toString('hex', 4, end)
}

const { opens, refused } = JSON.parse(readFileSync(process.argv[2]))
console.log(JSON.stringify([...opens, ...refused].map(open)))
