// A node whose every secret is known, with nobody it can sign in to: none of them is in what it logs, serves, prints or leaves on disk.
import assert from 'node:assert/strict'
import { appendFileSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { criLine, logFile } from '../capture/scene.js'
import { startS3StandIn } from '../stand-ins/s3.js'
import { openDesk } from './desk.js'

const SECRETS = {
  es: 'es-Secret-9f3a',
  loki: 'loki-Secret-77bc',
  nats: 'nats-Secret-10de',
  push: 'push-Secret-4c4c',
  s3: 's3-Secret-e0e0',
} as const

/** Nothing listens there: RFC 863's port is not open on a machine of today. */
const NOBODY = '127.0.0.1:9'

const config = (s3: string): string => `
node: { id: node-1, cluster_id: prod, data_dir: data }
http: { listen: 127.0.0.1:0 }
sources:
  pods: { type: kubernetes, path: pods, api: off, poll: 10ms, rescan: 50ms }
  push: { type: http, listen: 127.0.0.1:0, token_file: push.token }
backends:
  es: { type: elasticsearch, url: "http://${NOBODY}", username: writer, password: "\${ES_PASSWORD:-${SECRETS.es}}" }
  loki: { type: loki, url: "http://${NOBODY}", bearer_token_file: loki.token }
nats: { servers: ["nats://${NOBODY}"], token: ${SECRETS.nats} }
capture:
  cgroup_root: cgroup
  settle: 100ms
  store: { type: s3, endpoint: "${s3}", bucket: words, path_style: true, access_key_id: AK, secret_access_key: ${SECRETS.s3} }
runtime: { log_level: debug }
`

/** Every file of the folder, packed ones unpacked as well. */
function textsIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).flatMap((name) => {
    const path = join(folder, name)
    if (!statSync(path).isFile()) return []
    const bytes = readFileSync(path)
    return [bytes.toString('latin1'), ...(name.endsWith('.gz') ? [gunzipSync(bytes).toString('latin1')] : [])]
  })
}

test('a secret in the log, the metrics, the status, what ctl prints, a capture, or anywhere in the data folder', async (t) => {
  const at = openDesk()
  t.after(() => at.remove())
  const s3 = await startS3StandIn({
    accessKeyId: 'AK',
    secretAccessKey: 'another',
    region: 'us-east-1',
    bucket: 'words',
  })
  t.after(() => s3.close())
  at.write('millrace.yaml', config(s3.url))
  at.write('push.token', `${SECRETS.push}\n`)
  at.write('loki.token', `${SECRETS.loki}\n`)
  const log = at.write(logFile(), '')
  const node = at.start('run')
  const address = await node.address()
  appendFileSync(log, criLine('panic: boom') + criLine('') + criLine('goroutine 1 [running]:'))
  // Refused by the store: it waits on this disk, where it can be looked into.
  await node.said(/waits on disk/)
  const page = async (path: string) => (await fetch(`http://${address}${path}`)).text()
  // Figures come with the beat of each thread.
  while (!(await page('/metrics')).includes('log_pipeline_')) await sleep(20)
  const said: Record<string, string> = {
    metrics: await page('/metrics'),
    status: await page('/status'),
    ready: await page('/readyz'),
  }
  for (const verb of ['status', 'effective', 'actors']) {
    const { stdout, stderr } = await at.run('ctl', verb)
    said[`ctl ${verb}`] = stdout + stderr
  }
  assert.match(said['metrics'] ?? '', /log_pipeline_/)
  assert.match(said['status'] ?? '', /writer\.es/)
  assert.match(said['ctl effective'] ?? '', /username/)
  said['capture list'] = (await at.run('capture', 'list')).stderr
  node.child.kill('SIGTERM')
  const { stdout, stderr } = await node.ended
  said['log'] = stdout + stderr
  const files = textsIn(join(at.folder, 'data'))
  assert.ok(
    files.some((text) => text.includes('panic: boom')),
    'the capture is among them',
  )
  said['files'] = files.join('\n')
  for (const [where, text] of Object.entries(said))
    for (const [whose, secret] of Object.entries(SECRETS)) {
      const forms = [secret, Buffer.from(`writer:${secret}`).toString('base64')]
      assert.ok(!forms.some((form) => text.includes(form)), `the secret of ${whose} is in: ${where}`)
    }
})
