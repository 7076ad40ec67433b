// The agent as its pod runs it: another user, group 0, no capability; logs with the modes that containerd gives them.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { parse } from 'yaml'
import { at, listAt, type Manifest, textOf } from './render.js'
import { repository } from './tools.js'

const agent = parse(readFileSync(path.join(repository, 'k8s/base/agent.yaml'), 'utf8')) as Manifest
const pod = at(agent, 'spec', 'template', 'spec')
const uid = Number(at(pod, 'securityContext', 'runAsUser'))
const gid = Number(at(pod, 'securityContext', 'runAsGroup'))
const executable = path.join(repository, 'bin/millrace')

/** Only root can become another user, who must also be able to read the program. */
function reasonToSkip(): { readonly skip?: string } {
  if (process.getuid?.() !== 0 || process.platform !== 'linux') return { skip: 'needs root on Linux' }
  const { status } = spawnSync(process.execPath, [executable, '--version'], {
    uid,
    gid,
    cwd: '/',
    timeout: 30_000,
  })
  return status === 0 ? {} : { skip: `user ${uid} cannot read the repository` }
}

test(
  'an agent without root and capabilities that cannot read the logs, or cannot keep its data',
  reasonToSkip(),
  () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'millrace-unprivileged-'))
    chmodSync(folder, 0o755)
    try {
      const logs = path.join(
        folder,
        'pods/shop_cart-7d9c5b8f6d-x2k4p_0f1e2d3c-0000-4000-8000-000000000001/app',
      )
      mkdirSync(logs, { recursive: true, mode: 0o755 })
      writeFileSync(
        path.join(logs, '0.log'),
        '2026-11-23T10:00:00.1Z stdout F {"level":"error","msg":"read"}\n',
        { mode: 0o640 },
      )
      chownSync(path.join(logs, '0.log'), 0, 0)
      const data = path.join(folder, 'data')
      mkdirSync(data, { mode: 0o755 })
      // What the init container does, and twice: the second start finds the folder in use before.
      const command = listAt(pod, 'initContainers', 0, 'command').map((word) =>
        textOf(word).replace('/var/lib/millrace', data),
      )
      const config = path.join(folder, 'millrace.yaml')
      writeFileSync(
        config,
        JSON.stringify({
          node: { id: 'n', data_dir: data },
          http: { listen: '127.0.0.1:0' },
          sources: { pods: { type: 'kubernetes', path: path.join(folder, 'pods'), api: 'off' } },
          backends: { vault: { type: 'archive', path: path.join(data, 'archive') } },
        }),
      )
      for (const start of ['first', 'second']) {
        assert.equal(spawnSync(command[0] ?? '', command.slice(1)).status, 0)
        const ran = spawnSync(process.execPath, [executable, 'run', '--once', '-c', config], {
          uid,
          gid,
          cwd: '/',
          encoding: 'utf8',
          timeout: 50_000,
        })
        assert.equal(ran.status, 0, `${start}: ${ran.stderr}`)
      }
      const archive = path.join(data, 'archive')
      const files = readdirSync(archive, { recursive: true, encoding: 'utf8' }).filter((name) =>
        name.endsWith('.gz'),
      )
      const records = files.flatMap((name) =>
        gunzipSync(readFileSync(path.join(archive, name)))
          .toString()
          .trim()
          .split('\n'),
      )
      assert.equal(records.length, 1)
      assert.match(records[0] ?? '', /"message":"read"/)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
)
