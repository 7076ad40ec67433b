// The stores: what is put is listed and given back whole; a store that refuses says so by name and without secrets.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { folderStore } from '../../actors/capture/stores/folder.js'
import { s3Store } from '../../actors/capture/stores/s3.js'
import { parseList } from '../../actors/capture/stores/s3-list.js'
import type { CaptureStore } from '../../actors/capture/store.js'
import type { S3StoreOptions } from '../../protocol/config/capture.js'
import { type S3StandIn, type S3StandInOptions, startS3StandIn } from '../stand-ins/s3.js'

const KEY = { accessKeyId: 'AKIATEST', secretAccessKey: 'se+cr/et=', region: 'eu-central-1' }
const DOMAIN = 's3.test'
const NAME = 'prod/shop/fallback-cart-1-20261123T100000.000Z.tar.gz'

let cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
  cleanups = []
})

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'millrace-stores-'))
  cleanups.push(() => rmSync(made, { recursive: true, force: true }))
  return made
}

async function s3(
  more: Partial<S3StoreOptions> = {},
  standIn: Partial<S3StandInOptions> = {},
): Promise<{ server: S3StandIn; store: CaptureStore }> {
  const server = await startS3StandIn({ ...KEY, bucket: 'last-words', domain: DOMAIN, ...standIn })
  cleanups.push(() => server.close())
  const isPathStyle = more.path_style ?? true
  const store = s3Store(
    {
      type: 's3',
      endpoint: isPathStyle ? server.url : `http://${DOMAIN}:${server.port}`,
      bucket: 'last-words',
      prefix: "captures/it's here/",
      region: KEY.region,
      path_style: isPathStyle,
      access_key_id: KEY.accessKeyId,
      secret_access_key: KEY.secretAccessKey,
      timeout: 2000,
      ...more,
    },
    { lookup: (_host, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]) },
  )
  cleanups.push(() => store.close())
  return { server, store }
}

async function demandAll(store: CaptureStore): Promise<void> {
  const bytes = Buffer.from([0, 1, 2, 0xff, ...Buffer.from('x'.repeat(100_000))])
  assert.equal(await store.get(NAME), undefined)
  await store.put(NAME, bytes)
  await store.put(NAME, bytes)
  await store.put(NAME.replace('prod', 'edge'), Buffer.from('other'))
  assert.deepEqual(Buffer.from((await store.get(NAME)) ?? []), bytes)
  const listed = await store.list(10)
  assert.deepEqual(listed.map(({ key, bytes: size }) => [key, size]).sort(), [
    [NAME.replace('prod', 'edge'), 5],
    [NAME, bytes.length],
  ])
  assert.ok(listed.every(({ storedAtMs }) => storedAtMs > 1e12))
  assert.equal((await store.list(1)).length, 1)
}

test('a folder keeps captures', async () => {
  const path = join(folder(), 'deep', 'er')
  const store = folderStore({ type: 'folder', path, bytes_max: 1e9 }, () => undefined)
  assert.deepEqual(await store.list(10), [])
  await demandAll(store)
})

test('S3 by path, every request signed as the specification says', async () => {
  await demandAll((await s3()).store)
})

test('S3 by virtual host', async () => {
  const { server, store } = await s3({ path_style: false })
  await demandAll(store)
  assert.equal(server.objects.size, 2)
})

test('S3 with a session token from its file', async () => {
  const file = join(folder(), 'token')
  writeFileSync(file, 'session\n')
  await demandAll((await s3({ session_token_file: file }, { sessionToken: 'session' })).store)
})

test('a list in many pages is read to its end, and what is no capture is left out', async () => {
  const { server, store } = await s3({ prefix: 'p/' }, { pageKeys: 7 })
  for (let n = 0; n < 30; n++) server.objects.set(`p/c/ns/fallback-pod-${n}.tar.gz`, Buffer.alloc(n))
  server.objects.set('p/readme.txt', Buffer.from('x'))
  server.objects.set('p/../../etc/fallback-x.tar.gz', Buffer.from('x'))
  assert.equal((await store.list(100)).length, 30)
})

for (const [what, more, code] of [
  ['a wrong secret', { secret_access_key: 'wrong' }, '403 SignatureDoesNotMatch'],
  ['an unknown key', { access_key_id: 'AKIAOTHER' }, '403 InvalidAccessKeyId'],
  ['a bucket that is not there', { bucket: 'no-such-bucket' }, '404 NoSuchBucket'],
  ['another region', { region: 'us-east-1' }, '400 AuthorizationHeaderMalformed'],
] as const) {
  test(`S3 refuses ${what}: the error says so and holds no secret`, async () => {
    const { store } = await s3(more)
    await assert.rejects(store.put(NAME, Buffer.from('x')), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'capture.store')
      assert.ok(error.message.includes(code), error.message)
      assert.ok(!error.message.includes(KEY.secretAccessKey) && !error.message.includes('wrong'))
      return true
    })
  })
}

test('S3 that hangs, resets, breaks off or is not there is an error within the timeout', async () => {
  const { server, store } = await s3({ timeout: 200 })
  for (const faults of [{ hang: true }, { reset: true }, { status: 500 }]) {
    server.setFaults({ ...faults, on: 'all' })
    await assert.rejects(store.put(NAME, Buffer.from('x')), { code: 'capture.store' })
    await assert.rejects(store.list(1), { code: 'capture.store' })
  }
  server.setFaults({ halfAnswer: true, on: 'all' })
  await assert.rejects(store.list(1), { code: 'capture.store' })
  const { store: nowhere } = await s3({ endpoint: 'http://127.0.0.1:9' })
  await assert.rejects(nowhere.get(NAME), { code: 'capture.store', message: /ECONNREFUSED/ })
})

test('a list with entities in its keys, and an answer that is none', () => {
  const xml =
    '<R><IsTruncated>false</IsTruncated><Contents><Key>a&amp;b&#33;&lt;</Key><Size>3</Size></Contents><Contents/></R>'
  assert.deepEqual(parseList(xml), { objects: [{ key: 'a&b!<', bytes: 3, storedAtMs: 0 }] })
  assert.deepEqual(parseList('<html>'), { objects: [] })
})

test('a folder at its bound: the oldest captures go and are named, other files stay', async () => {
  const path = folder()
  const removed: string[] = []
  const store = folderStore({ type: 'folder', path, bytes_max: 100 }, (key) => removed.push(key))
  mkdirSync(join(path, 'c'))
  writeFileSync(join(path, 'c', 'notes.txt'), 'x'.repeat(1000))
  const key = (n: number) => `c/ns/fallback-${n}.tar.gz`
  for (const n of [1, 2, 3]) {
    await store.put(key(n), Buffer.alloc(45))
    utimesSync(join(path, key(n)), n, n)
  }
  assert.deepEqual(removed, [key(1)])
  assert.equal((await store.list(9)).length, 2)
})

test('a folder that can not be written: the error names it', async () => {
  const store = folderStore({ type: 'folder', path: '/proc/captures', bytes_max: 1e9 }, () => undefined)
  await assert.rejects(store.put(NAME, Buffer.from('x')), {
    code: 'capture.store',
    message: /\/proc\/captures/,
  })
  assert.equal(await store.get('../../etc/passwd'), undefined)
})
