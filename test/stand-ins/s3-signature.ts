// Verifies AWS Signature Version 4 in a request's header, by its own reading of the specification (docs.aws.amazon.com, SigV4).
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { Request } from './http.js'

export interface SigningKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
}

export interface Problem {
  readonly status: number
  readonly code: string
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/
const SKEW_MAX_MS = 15 * 60_000

/** Undefined when the signature is that of this request. */
export function verifySignature(request: Request, key: SigningKey, nowMs: number): Problem | undefined {
  const match = AUTHORIZATION.exec(String(request.headers.authorization ?? ''))
  if (match === null) return { status: 403, code: 'AccessDenied' }
  const [, accessKeyId, day, region, names = '', signature = ''] = match
  if (accessKeyId !== key.accessKeyId) return { status: 403, code: 'InvalidAccessKeyId' }
  if (region !== key.region) return { status: 400, code: 'AuthorizationHeaderMalformed' }
  const signed = names.split(';')
  const all = Object.keys(request.headers).filter((name) => name === 'host' || name.startsWith('x-amz-'))
  if (!all.every((name) => signed.includes(name))) return { status: 403, code: 'AccessDenied' }
  const time = String(request.headers['x-amz-date'] ?? '')
  if (Math.abs(timeOf(time) - nowMs) > SKEW_MAX_MS) return { status: 403, code: 'RequestTimeTooSkewed' }
  const scope = `${day}/${region}/s3/aws4_request`
  const text = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical(request, signed))].join('\n')
  const signingKey = [String(day), key.region, 's3', 'aws4_request'].reduce<Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    Buffer.from(`AWS4${key.secretAccessKey}`),
  )
  const expected = createHmac('sha256', signingKey).update(text).digest()
  return timingSafeEqual(expected, Buffer.from(signature, 'hex'))
    ? undefined
    : { status: 403, code: 'SignatureDoesNotMatch' }
}

function canonical(request: Request, signed: readonly string[]): string {
  const path = decodeURIComponent(request.path).split('/').map(encoded).join('/')
  const query = [...request.query].map(([name, value]) => `${encoded(name)}=${encoded(value)}`).sort()
  const headers = signed.map((name) => `${name}:${String(request.headers[name] ?? '').trim()}\n`)
  return [
    request.method,
    path,
    query.join('&'),
    headers.join(''),
    signed.join(';'),
    String(request.headers['x-amz-content-sha256']),
  ].join('\n')
}

/** RFC 3986: all but the unreserved characters. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function timeOf(text: string): number {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  if (match === null) return Number.NaN
  const [, year, month, day, hour, minute, second] = match.map(Number)
  return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second)
}
