import { openBackend, reference, quantizeCheckpoint, memoryRepository, memorySink, writeSafetensors, openSafetensors, bytesSource } from "../packages/core/src/index.ts";
import { readFileSync } from "node:fs";
const backend = await openBackend([reference()]);
for (const n of ["tiny_fp4_fp16","tiny_int8_bf16","tiny_int8_fp16","tiny_nf4_dq_bf16"]) for (const profile of ["cpu","reference"]) {
  const io = await openSafetensors(bytesSource(readFileSync(`golden/checkpoints/${n}_io.safetensors`)));
  const tensors = [];
  for (const [name,e] of io.entries) if (name.startsWith("original.")) tensors.push({name:name.slice(9), dtype:e.dtype, shape:e.shape, bytes: await io.read(name)});
  const cfg = JSON.parse(readFileSync(`golden/checkpoints/${n}.config.json`,"utf8")); const q = cfg.quantization_config; delete cfg.quantization_config;
  const sink = memorySink();
  const rep = await quantizeCheckpoint(memoryRepository({"model.safetensors": writeSafetensors(tensors,{format:"pt"}), "config.json": new TextEncoder().encode(JSON.stringify(cfg,null,1))}), sink, {backend, profile, format: q.load_in_8bit?"int8":q.bnb_4bit_quant_type, nested: q.bnb_4bit_use_double_quant, computeDtype: q.load_in_4bit? q.bnb_4bit_compute_dtype: undefined});
  const out = sink.files.get("model.safetensors")!; const want = readFileSync(`golden/checkpoints/${n}.safetensors`);
  console.log(n, profile, Buffer.compare(out, want)===0, JSON.stringify(JSON.parse(new TextDecoder().decode(sink.files.get("config.json"))).quantization_config)===JSON.stringify(q), rep.tensors.find(t=>t.error)?.error);
}
{
  const n="tiny_nf4_dq_bf16"; 
  const io = await openSafetensors(bytesSource(readFileSync(`golden/checkpoints/${n}_io.safetensors`)));
  const tensors = [];
  for (const [name,e] of io.entries) if (name.startsWith("original.")) tensors.push({name:name.slice(9), dtype:e.dtype, shape:e.shape, bytes: await io.read(name)});
  const sink = memorySink();
  await quantizeCheckpoint(memoryRepository({"model.safetensors": writeSafetensors(tensors,{format:"pt"})}), sink, {backend, profile:"cpu", format: "nf4", nested: true});
  const a = await openSafetensors(bytesSource(sink.files.get("model.safetensors")!)), b = await openSafetensors(bytesSource(readFileSync(`golden/checkpoints/${n}.safetensors`)));
  for (const k of b.entries.keys()) { const x=await a.read(k), y = await b.read(k); let d=0; for(let i=0;i<Math.max(x.length,y.length);i++) if(x[i]!==y[i]) d++; if (d) { console.log(k, d, x.length, y.length); if (k.includes("state")) console.log(new TextDecoder().decode(x), "\n", new TextDecoder().decode(y)); } }
}
