"""Many panels or prompts at once; defined in `batch/`."""

from .batch.batch import AsyncBatch as AsyncBatch
from .batch.batch import Batch as Batch
from .batch.functions import astream_many as astream_many
from .batch.functions import stream_many as stream_many
from .batch.panels import Panel as Panel
from .batch.panels import PanelLike as PanelLike
from .batch.panels_on_loop import BUFFER as BUFFER
from .batch.panels_on_loop import batch_summary as batch_summary
from .batch.prompts import PromptLike as PromptLike
from .batch.prompts import PromptResult as PromptResult
from .batch.prompts import PromptsInterrupted as PromptsInterrupted
from .batch.prompts import amap_prompts as amap_prompts
from .batch.prompts import map_prompts as map_prompts
