/** A Compose file: the application with a GPU of its own, and the monitor beside it. */
import { digitsOf } from "./cuda-images.js";
import { shippedCuda, type Template } from "./template.js";

const shipped = shippedCuda.map((version) => version.replace(".", "")).join(", ");

export const compose: Template = {
  file: "compose.yaml",
  description: "the application with a reserved GPU, and halfbyte monitor for Prometheus",
  text: ({
    image,
    node,
  }) => `# Needs the Dockerfile of \`halfbyte emit dockerfile --cuda ${image.cuda} --node ${node}\` beside it, and the NVIDIA Container Toolkit on the host.
#   docker compose run --rm app npx halfbyte doctor
#   docker compose up

x-gpu: &gpu
  build: .
  image: app:cuda${digitsOf(image)}-node${node}
  init: true
  restart: unless-stopped
  environment:
    # compute gives libcuda, utility gives NVML and nvidia-smi.
    NVIDIA_DRIVER_CAPABILITIES: compute,utility
    # One library and no other (shipped: ${shipped}), for when \`halfbyte doctor\` recommends it.
    # HALFBYTE_CUDA_VERSION: "${digitsOf(image)}"
  deploy:
    resources:
      reservations:
        devices:
          - driver: nvidia
            # Or device_ids: ["0"] in the place of count, for one GPU and no other.
            count: 1
            capabilities: [gpu]

services:
  app:
    <<: *gpu

  monitor:
    <<: *gpu
    # All addresses of the container; the line below lets this machine alone reach it.
    command: ["npx", "halfbyte", "monitor", "--prometheus", "0.0.0.0:9400"]
    ports:
      - "127.0.0.1:9400:9400"
`,
};
