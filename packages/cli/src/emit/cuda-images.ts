/**
 * Tags of NVIDIA's images per CUDA version: the newest patch release and a distribution whose C library suits Node's own builds.
 * All of them are published for x64 and arm64. NVIDIA removes images of old versions in time; the list of what is there:
 * https://hub.docker.com/r/nvidia/cuda/tags
 */
import { halfbyteError } from "@halfbyte/core";

export interface CudaImage {
  /** 12.4, as people write it. */
  readonly cuda: string;
  /** Of NVIDIA's image, without flavour. */
  readonly patch: string;
  readonly distribution: string;
}

const image = (cuda: string, patch: string, distribution = "ubuntu22.04"): CudaImage => ({ cuda, patch, distribution });

export const cudaImages: readonly CudaImage[] = [
  image("11.8", "11.8.0"),
  image("12.1", "12.1.1"),
  image("12.2", "12.2.2"),
  image("12.3", "12.3.2"),
  image("12.4", "12.4.1"),
  image("12.5", "12.5.1"),
  image("12.6", "12.6.3"),
  image("12.8", "12.8.1"),
  image("12.9", "12.9.1"),
  image("13.0", "13.0.2", "ubuntu24.04"),
];

export function cudaImageOf(cuda: string): CudaImage {
  const found = cudaImages.find((known) => known.cuda === cuda);
  if (found) return found;
  throw halfbyteError("INVALID_ARGUMENT", `No image is known here for CUDA "${cuda}".`, {
    remedy: `Use ${cudaImages.map((known) => known.cuda).join(", ")}, and put another tag of https://hub.docker.com/r/nvidia/cuda/tags into the file.`,
    details: { found: cuda },
  });
}

/** base brings the CUDA runtime alone: halfbyte's libraries need no more. */
export const imageName = ({ patch, distribution }: CudaImage, flavour = "base"): string =>
  `nvidia/cuda:${patch}-${flavour}-${distribution}`;

/** The library that is built with this version, or the nearest that is shipped: cuda118, cuda124, cuda130. */
export const digitsOf = ({ cuda }: CudaImage): string => cuda.replace(".", "");
