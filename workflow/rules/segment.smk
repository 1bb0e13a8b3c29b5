rule segment:
    input:
        slide=result("slide.zarr"),
        quality=result("quality.zarr"),
        panel=ancient(panel),
    output:
        labels=directory(result("labels.zarr")),
    log:
        result("logs/segment.log"),
    benchmark:
        result("logs/segment.tsv")
    conda:
        "../../envs/mifprofile.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000, tile_px=2560, bytes_per_value=4),
    params:
        config=CONFIG,
        out=folder,
        panel=panel_part("nucleus", "membrane"),
        section=section("segment"),
    shell:
        "mifprofile segment -o {params.out:q} --panel {input.panel:q} "
        "--config {params.config:q} > {log:q} 2>&1"
